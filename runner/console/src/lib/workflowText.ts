/** A workflow, from what a person pasted. */
import type { Workflow } from '@/api/types';

export function workflowOf(text: string): { workflow?: Workflow; failure?: string } {
	let given: unknown;
	try {
		given = JSON.parse(text);
	} catch (error) {
		return {
			failure: `This is no JSON: ${error instanceof Error ? error.message : String(error)}`,
		};
	}
	if (typeof given !== 'object' || given === null)
		return { failure: 'A workflow is a JSON object.' };
	const workflow = given as Partial<Workflow>;
	if (!Array.isArray(workflow.nodes)) {
		return { failure: 'A workflow has a list "nodes"; this has none.' };
	}
	return { workflow: whole(workflow) };
}

/** Some exports leave an empty part out, or have a list in its place. */
export function whole(given: Partial<Workflow>): Workflow {
	const { nodes, connections } = given;
	const isObject =
		typeof connections === 'object' && !Array.isArray(connections) && connections !== null;
	return {
		...given,
		nodes: Array.isArray(nodes) ? nodes : [],
		connections: isObject ? connections : {},
	};
}
