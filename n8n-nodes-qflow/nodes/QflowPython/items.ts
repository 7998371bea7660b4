import type { INode, INodeExecutionData } from 'n8n-workflow';

import type { Mode, RunReply } from './api';
import type { Secrets } from './secrets';
import type { Files } from './upload';

/**
 * The body of a run: what Python needs of the items, as UTF-8.
 *
 * Bytes and not a string, because n8n's HTTP client parses a JSON string once more to see whether it
 * is one, which for 100,000 items takes as long as writing it. `argumentList` is JSON text of a list.
 */
export function encodeRun(
	items: INodeExecutionData[],
	argumentList: string,
	files: Array<Files | undefined> = [],
	secrets?: Secrets,
): Buffer {
	let text = '{"items":[';
	let separator = '';
	items.forEach(({ json }, index) => {
		const binary = files[index];
		text += `${separator}{"json":${JSON.stringify(json)}`;
		text += binary === undefined ? '}' : `,"binary":${JSON.stringify(binary)}}`;
		separator = ',';
	});
	text += argumentList === '[]' ? ']' : `],"args":${argumentList}`;
	text += secrets === undefined ? '}' : `,"secrets":${JSON.stringify(secrets)}}`;
	return Buffer.from(text);
}

/**
 * The items of a reply for n8n. They are those that were parsed: a copy of each would cost more than
 * the rest of this module.
 */
export function decodeItems(
	node: INode,
	reply: RunReply,
	input: INodeExecutionData[],
): INodeExecutionData[] {
	const output = reply.items as unknown as INodeExecutionData[];
	if (reply.errors === 0) return output;
	reply.items.forEach(({ json, error, pairedItem }, index) => {
		if (error === undefined) return;
		const item = pairedItem ?? error.item ?? index;
		const source = (json ?? input[item]?.json) as INodeExecutionData['json'] | undefined;
		output[index] = { json: failedJson(node, source, error.detail), pairedItem: { item } };
	});
	return output;
}

/** What the node yields when the whole run failed and the workflow is to go on. */
export function failedItems(
	node: INode,
	input: INodeExecutionData[],
	message: string,
	mode: Mode,
): INodeExecutionData[] {
	if (mode === 'all') {
		const everyItem = input.map((_, item) => ({ item }));
		return [{ json: { error: message }, pairedItem: everyItem }];
	}
	return input.map(({ json }, item) => ({
		json: failedJson(node, json, message),
		pairedItem: { item },
	}));
}

/**
 * The input item's fields, and what went wrong in `error`.
 *
 * n8n takes an item for a failed one, and sends it to the error output, when its JSON is `error` alone;
 * there it puts the fields of the input item back. An `error` beside `json` would make n8n drop the
 * fields on either output.
 */
function failedJson(
	node: INode,
	json: INodeExecutionData['json'] | undefined,
	message: string,
): INodeExecutionData['json'] {
	return node.onError === 'continueErrorOutput' ? { error: message } : { ...json, error: message };
}
