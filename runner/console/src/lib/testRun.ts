/** Runs a draft as a node would be run: stored, called with items, in an execution of its own. */
import { computed, onScopeDispose, ref, shallowRef } from 'vue';
import { define, type Draft, endSession, runDefinition } from '@/api/calls';
import type { Item, Json, Problem, RunReply } from '@/api/types';
import { useLive } from '@/stores/live';
import { newId } from './ids';
import { problemOf } from './load';

export const STUDIO_WORKFLOW = 'console-studio';

export function useTestRun() {
	const live = useLive();
	const execution = ref('');
	const busy = ref(false);
	const reply = shallowRef<RunReply>();
	const problem = shallowRef<Problem>();
	let current: AbortController | undefined;

	const now = computed(() => Object.values(live.executions.get(execution.value)?.nodes ?? {})[0]);

	async function run(
		draft: Draft,
		node: string,
		items: Item[],
		args: Record<string, Json>,
	): Promise<void> {
		leave();
		const controller = new AbortController();
		current = controller;
		execution.value = newId('studio');
		busy.value = true;
		reply.value = undefined;
		problem.value = undefined;
		try {
			const { id } = await define(draft);
			const where = { workflow: STUDIO_WORKFLOW, execution: execution.value, node };
			reply.value = await runDefinition(id, where, items, args, controller.signal);
		} catch (error) {
			problem.value = controller.signal.aborted ? stopped() : problemOf(error);
		} finally {
			busy.value = false;
		}
	}

	/** Hanging up ends the code. */
	function stop(): void {
		current?.abort();
	}

	/** Files and objects of the last run are of no use any more. */
	function leave(): void {
		current?.abort();
		if (execution.value) endSession(execution.value).catch(() => undefined);
	}

	onScopeDispose(leave);
	return { busy, reply, problem, now, execution, run, stop };
}

function stopped(): Problem {
	return {
		title: 'Stopped',
		status: 0,
		category: 'user_code',
		code: 'stopped',
		detail: 'You stopped the run.',
	};
}
