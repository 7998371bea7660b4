import type { IExecuteFunctions, INode, INodeExecutionData } from 'n8n-workflow';
import { randomUUID } from 'crypto';

import type { Definition, Mode, Output, RunReply, Validation } from './api';
import { encodeArguments } from './arguments';
import { withDefinition } from './definitions';
import { isProblem, problemError, sentence } from './errors';
import { decodeItems, encodeRun } from './items';
import { showFailures, showOutput } from './output';
import { functionName, requirementLines } from './parameters';
import { checkParents } from './parents';
import { call } from './transport';

/** Beyond the code's own time limit: to wait for a place in a sandbox, and to move the items. */
const EXTRA_TIME_S = 60;

const DEFAULT_TIMEOUT_S = 30;

/** The longest name that the runner takes. */
const NAME_LENGTH = 200;

interface Options {
	python?: string;
	timeout?: number;
	validation?: Validation;
}

/** Runs the node's function with all input items in one request. Throws NodeOperationError. */
export async function runPython(
	context: IExecuteFunctions,
	node: INode,
): Promise<INodeExecutionData[]> {
	const items = context.getInputData();
	const definition = readDefinition(context, node);
	if (definition.validation !== 'off') await checkParents(context, node);
	const body = encodeRun(items, encodeArguments(context, node, definition.mode, items.length));
	const query = readQuery(context, node);
	const timeoutMs = (definition.timeout_s + EXTRA_TIME_S) * 1000;
	const answer = await withDefinition(
		context,
		node,
		definition,
		async (id) =>
			await call(context, node, {
				method: 'POST',
				path: `/v1/definitions/${id}/runs?${query}`,
				body,
				timeoutMs,
			}),
	);
	if (answer.status !== 200 || !Array.isArray(answer.body.items)) {
		throw refusal(context, node, answer.body);
	}
	const reply = answer.body as unknown as RunReply;
	showOutput(context, reply.logs, reply.hints);
	if (reply.errors > 0) showFailures(context, reply.items);
	return decodeItems(node, reply, items);
}

function readDefinition(context: IExecuteFunctions, node: INode): Definition {
	const code = context.getNodeParameter('code', 0) as string;
	if (code.trim() === '') {
		throw sentence(node, 'The node has no Python code', 'Write a function in "Python Code".');
	}
	const name = functionName(context.getNodeParameter('function', 0, ''));
	const requirements = requirementLines(context.getNodeParameter('requirements', 0, ''));
	const options = context.getNodeParameter('options', 0, {}) as Options;
	const timeout = Number(options.timeout ?? DEFAULT_TIMEOUT_S);
	if (!(timeout > 0)) {
		throw sentence(node, 'The time limit is not a number of seconds', 'Write one, such as 30.');
	}
	return {
		code,
		...(name === '' ? {} : { function: name }),
		python: options.python ?? '3.12',
		...(requirements.length === 0 ? {} : { requirements }),
		mode: context.getNodeParameter('mode', 0, 'auto') as Mode,
		output: context.getNodeParameter('output', 0, 'auto') as Output,
		validation: options.validation ?? 'strict',
		timeout_s: timeout,
	};
}

/** Runs of one workflow share a sandbox, and those of one execution a session in it. */
function readQuery(context: IExecuteFunctions, node: INode): string {
	return new URLSearchParams({
		workflow: context.getWorkflow().id ?? randomUUID(),
		execution: context.getExecutionId() ?? randomUUID(),
		node: Array.from(node.name).slice(0, NAME_LENGTH).join(''),
		on_error: context.continueOnFail() ? 'continue' : 'stop',
	}).toString();
}

function refusal(context: IExecuteFunctions, node: INode, body: Record<string, unknown>) {
	if (!isProblem(body)) {
		return sentence(
			node,
			'The answer is not one of a Qflow runner',
			'Correct the URL in the credential, or update the runner: it may be older than this node.',
		);
	}
	showOutput(context, body.logs ?? [], []);
	return problemError(node, body);
}
