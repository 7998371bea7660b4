/** Who is signed in: the token of this tab, kept no longer than the tab. */
import { defineStore } from 'pinia';
import { computed, ref } from 'vue';
import { call, useAccess } from '@/api/http';

const KEY = 'qflow.token';

export const useSession = defineStore('session', () => {
	const token = ref(sessionStorage.getItem(KEY) ?? '');
	/** Why the sign-in page is shown to someone who was in. */
	const notice = ref('');
	const signedIn = computed(() => token.value !== '');

	useAccess({
		token: () => token.value,
		refused: () => {
			if (token.value) notice.value = 'The runner does not take this token any more.';
			drop();
		},
	});

	/** Raises ApiError where the runner does not take it. */
	async function signIn(given: string): Promise<void> {
		const accept = [403, 503];
		await call('GET', '/v1/executions', { query: { limit: 1 }, accept, token: given });
		token.value = given;
		sessionStorage.setItem(KEY, given);
		notice.value = '';
	}

	function drop(): void {
		token.value = '';
		sessionStorage.removeItem(KEY);
	}

	/** Nothing that was loaded stays behind. */
	function signOut(): void {
		drop();
		location.assign(import.meta.env.BASE_URL);
	}

	return { token, notice, signedIn, signIn, signOut };
});
