/** What happens now, in all executions: one stream for all pages, taken up again when it breaks. */
import { defineStore } from 'pinia';
import { reactive, ref, watch } from 'vue';
import { ApiError } from '@/api/http';
import { happenings } from '@/api/sse';
import type { Happening } from '@/api/types';
import { type LiveExecution, told } from '@/lib/live';
import { useSession } from './session';

const KEPT = 50;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;

export const useLive = defineStore('live', () => {
	const session = useSession();
	const executions = reactive(new Map<string, LiveExecution>());
	const connected = ref(false);
	/** Counts runs that ended, for pages that list what is recorded. */
	const ended = ref(0);
	const listeners = new Set<(event: Happening) => void>();

	function take(event: Happening): void {
		const known = executions.get(event.execution);
		executions.set(event.execution, told(known, event, Date.now()));
		if (executions.size > KEPT) {
			const oldest = executions.keys().next().value;
			if (oldest !== undefined) executions.delete(oldest);
		}
		if (event.kind === 'ended') ended.value += 1;
		for (const listener of listeners) listener(event);
	}

	async function follow(signal: AbortSignal): Promise<void> {
		let pause = FIRST_PAUSE_MS;
		while (!signal.aborted) {
			try {
				const opened = () => {
					connected.value = true;
					pause = FIRST_PAUSE_MS;
				};
				for await (const event of happenings('/v1/events', signal, opened)) take(event);
			} catch (error) {
				if (signal.aborted) return;
				if (error instanceof ApiError && [401, 403, 404].includes(error.problem.status)) return;
			} finally {
				connected.value = false;
			}
			// What ended meanwhile is in the records.
			ended.value += 1;
			await new Promise((resolve) => setTimeout(resolve, pause));
			pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
		}
	}

	/** Answers what stops it. */
	function listen(listener: (event: Happening) => void): () => void {
		listeners.add(listener);
		return () => listeners.delete(listener);
	}

	watch(
		() => session.token,
		(token, _, onCleanup) => {
			executions.clear();
			if (!token) return;
			const controller = new AbortController();
			onCleanup(() => {
				controller.abort();
			});
			void follow(controller.signal);
		},
		{ immediate: true },
	);

	return { executions, connected, ended, listen };
});
