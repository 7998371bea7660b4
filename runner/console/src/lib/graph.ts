/** n8n's workflow JSON as a picture: where its nodes stand, and what was found of its links. */
import type {
	CheckedLink,
	Connections,
	Run,
	Verdict,
	Workflow,
	WorkflowCheck,
	WorkflowNode,
} from '@/api/types';

const STEP_X = 240;
const STEP_Y = 120;
const SEVERITY: Verdict[] = ['assignable', 'convertible', 'unchecked', 'incompatible'];

export interface GraphNode {
	id: string;
	kind: string;
	isQflow: boolean;
	disabled: boolean;
	text: string;
	state: string;
	x: number;
	y: number;
}

export interface GraphEdge {
	id: string;
	source: string;
	target: string;
	output: number;
	input: number;
	/** The gravest of the links that pass here; undefined where neither end is a Qflow node. */
	link: CheckedLink | undefined;
}

export interface Graph {
	nodes: GraphNode[];
	edges: GraphEdge[];
}

export function isQflow(node: WorkflowNode): boolean {
	return node.type.split('.').at(-1) === 'qflowPython';
}

export function graphOf(
	workflow: Workflow,
	check?: WorkflowCheck,
	states: Record<string, string> = {},
): Graph {
	const signatures = new Map(check?.nodes.map((node) => [node.name, node.signature]));
	const nodes = workflow.nodes.map((node, at): GraphNode => {
		const [x, y] = node.position ?? [at * STEP_X, 0];
		return {
			id: node.name,
			kind: node.type.split('.').at(-1) ?? node.type,
			isQflow: isQflow(node),
			disabled: node.disabled === true,
			text: signatures.get(node.name) ?? '',
			state: states[node.name] ?? '',
			x,
			y,
		};
	});
	return { nodes, edges: edgesOf(workflow, check?.links ?? []) };
}

function edgesOf(workflow: Workflow, links: CheckedLink[]): GraphEdge[] {
	const names = new Set(workflow.nodes.map((node) => node.name));
	const edges: GraphEdge[] = [];
	for (const [source, { main = [] }] of Object.entries(workflow.connections)) {
		for (const [output, wires] of main.entries()) {
			for (const wire of wires ?? []) {
				if (!names.has(source) || !names.has(wire.node)) continue;
				edges.push({
					id: `${source}/${String(output)}→${wire.node}/${String(wire.index)}`,
					source,
					target: wire.node,
					output,
					input: wire.index,
					link: linkOver(links, source, output, wire.node),
				});
			}
		}
	}
	return edges;
}

/** A link runs over a wire where both of its ends follow each other on its way. */
function linkOver(
	links: CheckedLink[],
	source: string,
	output: number,
	target: string,
): CheckedLink | undefined {
	return links
		.filter((link) => {
			const way = [link.from, ...link.path, link.to];
			return way.some(
				(name, at) =>
					name === source && way[at + 1] === target && (at > 0 || link.output === output),
			);
		})
		.sort((a, b) => SEVERITY.indexOf(b.verdict) - SEVERITY.indexOf(a.verdict))[0];
}

/** Without a workflow's JSON: the nodes that ran, in the order in which they began. */
export function graphOfRuns(runs: readonly Run[]): Graph {
	const began = [...runs].sort((a, b) => a.ended - a.ms - (b.ended - b.ms));
	const names = [...new Set(began.map((run) => run.node || 'Run'))];
	const states = statesOf(runs);
	const nodes = names.map((id, at): GraphNode => ({
		id,
		kind: 'qflowPython',
		isQflow: true,
		disabled: false,
		text: '',
		state: states[id] ?? '',
		x: (at % 4) * STEP_X,
		y: Math.floor(at / 4) * STEP_Y,
	}));
	return { nodes, edges: [] };
}

/** How each node's runs went, all together. */
export function statesOf(runs: readonly Run[]): Record<string, string> {
	const states: Record<string, string> = {};
	for (const run of runs) {
		const name = run.node || 'Run';
		if (!states[name] || states[name] === 'ok') states[name] = run.outcome;
	}
	return states;
}

/** The same workflow with one more wire. */
export function withWire(
	workflow: Workflow,
	source: string,
	output: number,
	target: string,
	input: number,
): Workflow {
	const main = (workflow.connections[source]?.main ?? []).map((wires) => [...(wires ?? [])]);
	while (main.length <= output) main.push([]);
	const known = main[output]?.some((wire) => wire.node === target && wire.index === input);
	if (known) return workflow;
	main[output]?.push({ node: target, type: 'main', index: input });
	return {
		...workflow,
		connections: { ...workflow.connections, [source]: { ...workflow.connections[source], main } },
	};
}

export function withoutWire(workflow: Workflow, edge: GraphEdge): Workflow {
	const connections: Connections = { ...workflow.connections };
	const main = (connections[edge.source]?.main ?? []).map((wires, output) =>
		(wires ?? []).filter(
			(wire) => output !== edge.output || wire.node !== edge.target || wire.index !== edge.input,
		),
	);
	connections[edge.source] = { ...connections[edge.source], main };
	return { ...workflow, connections };
}

export function moved(workflow: Workflow, name: string, x: number, y: number): Workflow {
	return {
		...workflow,
		nodes: workflow.nodes.map((node) =>
			node.name === name ? { ...node, position: [Math.round(x), Math.round(y)] } : node,
		),
	};
}
