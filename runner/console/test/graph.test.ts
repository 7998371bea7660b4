import { expect, test } from 'vitest';
import type { CheckedLink, Run, Workflow } from '@/api/types';
import { graphOf, graphOfRuns, moved, withoutWire, withWire } from '@/lib/graph';
import { workflowOf } from '@/lib/workflowText';

const node = (name: string, type = 'n8n-nodes-qflow.qflowPython') => ({
	name,
	type,
	position: [1, 2] as [number, number],
});
const wire = (to: string) => ({ node: to, type: 'main', index: 0 });
const WORKFLOW: Workflow = {
	nodes: [node('a'), node('f', 'n8n-nodes-base.filter'), node('b')],
	connections: { a: { main: [[wire('f')]] }, f: { main: [[wire('b')]] } },
};
const LINK = {
	from: 'a',
	to: 'b',
	output: 0,
	input: 0,
	path: ['f'],
	verdict: 'incompatible',
} as unknown as CheckedLink;

test('a link colours every wire that it runs over', () => {
	const graph = graphOf(WORKFLOW, { ok: false, links: [LINK], nodes: [] });

	expect(graph.edges.map((edge) => edge.link?.verdict)).toEqual(['incompatible', 'incompatible']);
	expect(graph.nodes.map((each) => each.isQflow)).toEqual([true, false, true]);
});

test('a wire is added once, and taken away again', () => {
	const more = withWire(WORKFLOW, 'a', 0, 'b', 0);

	expect(more.connections.a?.main?.[0]).toHaveLength(2);
	expect(withWire(more, 'a', 0, 'b', 0)).toBe(more);
	const edge = graphOf(more).edges.find((each) => each.source === 'a' && each.target === 'b');
	expect(edge && withoutWire(more, edge).connections.a?.main?.[0]).toEqual([wire('f')]);
	expect(WORKFLOW.connections.a?.main?.[0]).toHaveLength(1);
});

test('a node that was moved stands there in whole numbers', () => {
	expect(moved(WORKFLOW, 'a', 10.4, 20.6).nodes[0]?.position).toEqual([10, 21]);
});

test('without a canvas nodes stand in the order in which they began, and a failure is not forgotten', () => {
	const runs = [
		{ node: 'b', ended: 300, ms: 10, outcome: 'ok' },
		{ node: 'a', ended: 200, ms: 100, outcome: 'type' },
		{ node: 'a', ended: 250, ms: 10, outcome: 'ok' },
	] as Run[];

	expect(graphOfRuns(runs).nodes.map((each) => [each.id, each.state])).toEqual([
		['a', 'type'],
		['b', 'ok'],
	]);
});

test('what is no workflow is refused with a sentence', () => {
	expect(workflowOf('{').failure).toMatch(/no JSON/);
	expect(workflowOf('{}').failure).toMatch(/nodes/);
	expect(workflowOf('{"nodes": []}').workflow).toEqual({ nodes: [], connections: {} });
});
