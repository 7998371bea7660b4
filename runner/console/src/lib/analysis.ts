/** Keeps the analysis of a draft beside it, a moment after each change. */
import { computed, onScopeDispose, type Ref, shallowRef, watch } from 'vue';
import { analyze } from '@/api/calls';
import type { Analysis, FunctionInfo, Problem } from '@/api/types';
import type { StudioDraft } from '@/stores/studio';
import { later } from './later';
import { problemOf } from './load';

const PAUSE_MS = 350;

export function useAnalysis(draft: Ref<StudioDraft>) {
	const analysis = shallowRef<Analysis>();
	const problem = shallowRef<Problem>();
	let current: AbortController | undefined;

	async function look(): Promise<void> {
		current?.abort();
		const controller = new AbortController();
		current = controller;
		const { code, python, requirements } = draft.value;
		try {
			analysis.value = await analyze(code, python, requirements, controller.signal);
			problem.value = undefined;
		} catch (error) {
			if (!controller.signal.aborted) problem.value = problemOf(error);
		}
	}

	const again = later(() => void look(), PAUSE_MS);
	watch(() => [draft.value.code, draft.value.python, draft.value.requirements], again);
	onScopeDispose(() => current?.abort());
	void look();

	/** The function that a run calls. */
	const chosen = computed((): FunctionInfo | undefined => {
		const name = draft.value.function || analysis.value?.entry;
		return analysis.value?.functions.find((each) => each.name === name);
	});
	return { analysis, problem, chosen, again: look };
}
