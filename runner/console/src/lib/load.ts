/** Loads what a page shows: with its state, again when asked, and never after the page is gone. */
import { onScopeDispose, type Ref, ref, shallowRef } from 'vue';
import { ApiError } from '@/api/http';
import type { Problem } from '@/api/types';

export interface Loaded<T> {
	data: Ref<T | undefined>;
	problem: Ref<Problem | undefined>;
	/** The runner has no such call. */
	missing: Ref<boolean>;
	loading: Ref<boolean>;
	reload: () => Promise<void>;
}

export function useLoad<T>(
	load: (signal: AbortSignal) => Promise<T>,
	{ everyMs = 0, now = true }: { everyMs?: number; now?: boolean } = {},
): Loaded<T> {
	const data = shallowRef<T>();
	const problem = shallowRef<Problem>();
	const missing = ref(false);
	const loading = ref(false);
	let current: AbortController | undefined;

	async function reload(): Promise<void> {
		current?.abort();
		const controller = new AbortController();
		current = controller;
		loading.value = true;
		try {
			const loaded = await load(controller.signal);
			if (controller.signal.aborted) return;
			data.value = loaded;
			problem.value = undefined;
			missing.value = false;
		} catch (error) {
			if (controller.signal.aborted) return;
			problem.value = problemOf(error);
			missing.value = error instanceof ApiError && error.isMissingCall;
		} finally {
			if (current === controller) loading.value = false;
		}
	}

	const timer = everyMs
		? setInterval(() => {
				if (!document.hidden && !missing.value) void reload();
			}, everyMs)
		: undefined;
	onScopeDispose(() => {
		clearInterval(timer);
		current?.abort();
	});
	if (now) void reload();
	return { data, problem, missing, loading, reload };
}

export function problemOf(error: unknown): Problem {
	if (error instanceof ApiError) return error.problem;
	return {
		title: 'Mistake',
		status: 0,
		category: 'internal',
		code: 'console',
		detail: error instanceof Error ? error.message : String(error),
	};
}
