import type { IExecuteFunctions, INode, INodeExecutionData } from 'n8n-workflow';

import type { DefinitionReply, RunReply } from './api';
import { encodeArguments } from './arguments';
import { feedsOnlyQflow } from './children';
import { withDefinition } from './definitions';
import { downloadFiles } from './download';
import { isProblem, problemError, sentence } from './errors';
import { decodeItems, encodeRun } from './items';
import { showCost, showFailures, showOutput } from './output';
import { checkParents } from './parents';
import { DEFAULT_TIMEOUT_S, readDefinition, readPlace, readQuery } from './request';
import { readSecrets } from './secrets';
import { traceparent } from './trace';
import { call } from './transport';
import type { Uploaded } from './upload';
import { uploadFiles } from './upload';

/** Beyond the code's own time limit: to wait for a place in a sandbox, and to move the items. */
const EXTRA_TIME_S = 60;

/** To find the packages of a first run, and to install them; the runner gives up on either before. */
const INSTALL_TIME_S = 1_200;

const NO_FILES: Uploaded = { items: [], byId: new Map() };

/** Runs the node's function with all input items in one request. Throws NodeOperationError. */
export async function runPython(
	context: IExecuteFunctions,
	node: INode,
): Promise<INodeExecutionData[]> {
	const items = context.getInputData();
	const definition = readDefinition(context, node);
	if (definition.validation !== 'off') await checkParents(context, node);
	const argumentList = encodeArguments(context, node, definition.mode ?? 'auto', items.length);
	const secrets = await readSecrets(context, node);
	const place = readPlace(context);
	const keep = (definition.output ?? 'auto') === 'auto' && feedsOnlyQflow(context, node);
	const query = readQuery(context, node, place, keep, secrets?.bounds);
	const hasFiles = items.some(({ binary }) => binary !== undefined);
	let files = NO_FILES;
	const answer = await withDefinition(context, node, definition, async (stored) => {
		const sends = hasFiles && stored.takes_files === true;
		files = sends ? await uploadFiles(context, node, items, place) : NO_FILES;
		return await call(context, node, {
			method: 'POST',
			path: `/v1/definitions/${stored.id}/runs?${query}`,
			body: encodeRun(items, argumentList, files.items, secrets?.values),
			timeoutMs: timeLimit(stored) * 1000,
			runs: true,
			headers: { traceparent: traceparent(context, node, place.execution) },
		});
	});
	if (answer.status !== 200 || !Array.isArray(answer.body.items)) {
		throw refusal(context, node, answer.body);
	}
	const reply = answer.body as unknown as RunReply;
	showOutput(context, reply.logs, reply.hints);
	showCost(context, reply);
	if (reply.errors > 0) showFailures(context, reply.items);
	if (reply.items.some(({ binary }) => binary !== undefined)) {
		await downloadFiles(context, node, reply.items, files.byId, place);
	}
	return decodeItems(node, reply, items);
}

/** Seconds until the runner must have answered, in whatever way. */
function timeLimit({ timeout_s, requirements }: DefinitionReply): number {
	const install = (requirements?.length ?? 0) > 0 ? INSTALL_TIME_S : 0;
	return (timeout_s ?? DEFAULT_TIMEOUT_S) + EXTRA_TIME_S + install;
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
