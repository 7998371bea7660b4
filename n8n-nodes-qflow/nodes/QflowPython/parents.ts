import type { IExecuteFunctions, INode, INodeParameters } from 'n8n-workflow';
import { createHash } from 'crypto';

import type { Link } from './api';
import { isRecord, sentence } from './errors';
import { isSaved } from './parameters';
import { Recent } from './recent';
import type { Answer } from './transport';
import { call } from './transport';

/** A check that takes longer is not worth waiting for: the run itself validates. */
const TIMEOUT_MS = 5_000;

/** How long a check that did not work is not tried again, and one of a saved definition holds. */
const PAUSE_MS = 60_000;

/** The parameters that decide what a node takes and gives. */
const DECISIVE = ['code', 'function', 'arguments', 'mode', 'output'] as const;

/** The same, where the code is not the node's own: what it was is left over, and says nothing. */
const DECISIVE_SAVED = [
	...DECISIVE.filter((each) => each !== 'code'),
	'source',
	'savedName',
	'savedVersion',
] as const;

interface Verdict {
	/** Absent where nothing speaks against the link. */
	refused?: Link;
	until: number;
}

/** Verdicts by the hash of what was judged, in the whole n8n process. */
const verdicts = new Recent<Verdict>(1_000);

interface Part {
	name: string;
	type: string;
	typeVersion: number;
	parameters: INodeParameters;
}

/**
 * Refuses items from a Qflow node whose results cannot be this node's arguments, before any code runs.
 *
 * For n8n without Qflow's hooks, which refuse such a workflow earlier. Where no Qflow node comes
 * before, it costs nothing; where one does, one request in the life of the n8n process. A runner that
 * cannot judge lets the run go on. Throws NodeOperationError.
 */
export async function checkParents(context: IExecuteFunctions, node: INode): Promise<void> {
	const parent = feedingNode(context, node);
	if (parent === undefined) return;
	const workflow = miniature(parent, node);
	const text = JSON.stringify(workflow);
	const key = createHash('sha256').update(text).digest('base64');
	let verdict = verdicts.get(key);
	if (verdict === undefined || verdict.until < Date.now()) {
		verdict = await judge(context, node, text);
		// A saved definition may get a new version, with which the link works or does not.
		if ([parent.parameters, node.parameters].some(isSaved)) verdict.until = Date.now() + PAUSE_MS;
		verdicts.set(key, verdict);
	}
	const { refused } = verdict;
	if (refused !== undefined) {
		throw sentence(
			node,
			`The link from "${parent.name}" cannot work: ${refused.reason}`,
			refused.suggestion,
		);
	}
}

/** The Qflow node whose results are this run's items, if one is. */
function feedingNode(context: IExecuteFunctions, node: INode): Part | undefined {
	const parents = context
		.getParentNodes(node.name, { includeNodeParameters: true, depth: 1 })
		.filter((each) => each.type === node.type && !each.disabled);
	if (parents.length === 0) return undefined;
	const source = context.getInputSourceData();
	// What leaves by the error output are a node's input items, not its results.
	if ((source.previousNodeOutput ?? 0) !== 0) return undefined;
	const parent = parents.find((each) => each.name === source.previousNode);
	return parent && { ...parent, parameters: parent.parameters ?? {} };
}

function miniature(parent: Part, node: INode) {
	return {
		nodes: [parent, node].map(({ name, type, typeVersion, parameters }) => ({
			id: name,
			name,
			type,
			typeVersion,
			position: [0, 0],
			parameters: decisive(parameters),
		})),
		connections: { [parent.name]: { main: [[{ node: node.name, type: 'main', index: 0 }]] } },
	};
}

function decisive(parameters: INodeParameters): INodeParameters {
	const names: readonly string[] = isSaved(parameters) ? DECISIVE_SAVED : DECISIVE;
	return Object.fromEntries(
		names.filter((each) => each in parameters).map((each) => [each, parameters[each]]),
	) as INodeParameters;
}

async function judge(context: IExecuteFunctions, node: INode, text: string): Promise<Verdict> {
	const unknown = { until: Date.now() + PAUSE_MS };
	let answer: Answer;
	try {
		answer = await call(context, node, {
			method: 'POST',
			path: '/v1/workflows/check',
			body: Buffer.from(text),
			timeoutMs: TIMEOUT_MS,
		});
	} catch {
		// The run that follows says what is wrong with the runner.
		return unknown;
	}
	const { links } = answer.body;
	if (answer.status !== 200 || !Array.isArray(links)) return unknown;
	const refused = links.filter(isRecord).find((each) => each.verdict === 'incompatible');
	return refused === undefined
		? { until: Infinity }
		: { refused: refused as unknown as Link, until: Infinity };
}
