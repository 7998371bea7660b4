import type {
	ILoadOptionsFunctions,
	INodeListSearchItems,
	INodeListSearchResult,
} from 'n8n-workflow';

import type { SavedDefinition, SavedSummary } from './api';
import { isProblem, isRecord, sentence } from './errors';
import { isExpression } from './parameters';
import type { Answer } from './transport';
import { call } from './transport';

const TIMEOUT_MS = 10_000;

/** The saved definitions whose name matches, a page at a time. */
export async function searchSaved(
	this: ILoadOptionsFunctions,
	filter?: string,
	page?: string,
): Promise<INodeListSearchResult> {
	const query = new URLSearchParams({
		...(filter ? { q: filter } : {}),
		...(page ? { cursor: page } : {}),
	});
	const { body } = await ask(this, `/v1/saved?${query.toString()}`);
	const found = (Array.isArray(body.saved) ? body.saved : []) as SavedSummary[];
	return {
		results: found.map(item),
		...(typeof body.cursor === 'string' ? { paginationToken: body.cursor } : {}),
	};
}

/** The definition that the open panel names, or why there is none to look at. Throws NodeOperationError. */
export async function readSaved(context: ILoadOptionsFunctions): Promise<SavedDefinition | string> {
	const given: unknown = context.getCurrentNodeParameter('savedName');
	const name = String((isRecord(given) ? given.value : given) ?? '').trim();
	const version = String(context.getCurrentNodeParameter('savedVersion') ?? '').trim();
	if (name === '') return 'Choose a definition above.';
	if (isExpression(name) || isExpression(version)) {
		return 'An expression says which definition it is: what that takes is known when it runs.';
	}
	const query = version === '' ? '' : `?${new URLSearchParams({ version }).toString()}`;
	const { body } = await ask(context, `/v1/saved/${encodeURIComponent(name)}${query}`);
	return body as unknown as SavedDefinition;
}

function item({ name, version, signature }: SavedSummary): INodeListSearchItems {
	return { name, value: name, description: `${signature || 'script'}, version ${version}` };
}

async function ask(context: ILoadOptionsFunctions, path: string): Promise<Answer> {
	const node = context.getNode();
	const answer = await call(context, node, { method: 'GET', path, timeoutMs: TIMEOUT_MS });
	if (answer.status === 200) return answer;
	if (isProblem(answer.body) && answer.body.code !== 'not_found') {
		throw sentence(node, answer.body.detail, answer.body.hint ?? '');
	}
	throw sentence(
		node,
		'This Qflow runner keeps no definitions by name: it is older than the node',
		'Update the runner, or write the code here.',
	);
}
