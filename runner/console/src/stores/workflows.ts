/** The workflow that is looked at: its JSON, what the runner found of it, and changes that the runner has taken. */
import { defineStore } from 'pinia';
import { ref, shallowRef } from 'vue';
import { checkWorkflow, putWorkflow, workflowCheck, workflowContent } from '@/api/calls';
import type { CheckedLink, Problem, Workflow, WorkflowCheck } from '@/api/types';
import { moved, withoutWire, withWire, type GraphEdge } from '@/lib/graph';
import { problemOf } from '@/lib/load';

export const useWorkflow = defineStore('workflow', () => {
	const id = ref('');
	const workflow = shallowRef<Workflow>();
	const check = shallowRef<WorkflowCheck>();
	const problem = shallowRef<Problem>();
	const judging = ref(false);

	async function open(wanted: string): Promise<void> {
		id.value = wanted;
		workflow.value = undefined;
		check.value = undefined;
		problem.value = undefined;
		try {
			const [content, found] = await Promise.all([workflowContent(wanted), workflowCheck(wanted)]);
			if (id.value !== wanted) return;
			workflow.value = content;
			check.value = found;
		} catch (error) {
			problem.value = problemOf(error);
		}
	}

	/** A new wire, if its links are good: answers the link that speaks against it. */
	async function connect(
		source: string,
		output: number,
		target: string,
		input: number,
	): Promise<CheckedLink | undefined> {
		if (!workflow.value) return undefined;
		const next = withWire(workflow.value, source, output, target, input);
		if (next === workflow.value) return undefined;
		judging.value = true;
		try {
			const before = new Set(check.value?.links.map(nameOf));
			const found = await checkWorkflow(next);
			const against = found.links.find(
				(link) => link.verdict === 'incompatible' && !before.has(nameOf(link)),
			);
			if (against) return against;
			await keep(next);
		} catch (error) {
			problem.value = problemOf(error);
		} finally {
			judging.value = false;
		}
		return undefined;
	}

	async function disconnect(edge: GraphEdge): Promise<void> {
		if (workflow.value) await keep(withoutWire(workflow.value, edge));
	}

	async function move(name: string, x: number, y: number): Promise<void> {
		if (workflow.value) await keep(moved(workflow.value, name, x, y));
	}

	async function keep(next: Workflow): Promise<void> {
		try {
			check.value = await putWorkflow(id.value, next);
			workflow.value = next;
			problem.value = undefined;
		} catch (error) {
			problem.value = problemOf(error);
		}
	}

	return { id, workflow, check, problem, judging, open, connect, disconnect, move };
});

function nameOf(link: CheckedLink): string {
	return JSON.stringify([link.from, link.output, link.to, link.input, link.path]);
}
