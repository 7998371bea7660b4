import type { IExecuteFunctions, INode } from 'n8n-workflow';
import { createHash } from 'crypto';

import type { Definition } from './api';
import { Recent } from './recent';
import type { Answer } from './transport';
import { call } from './transport';

/** Analysing code and finding its Python takes the runner a moment at most. */
const STORE_TIMEOUT_MS = 60_000;

/** Ids by the hash of their definition, in the whole n8n process. */
const ids = new Recent<string>(1_000);

/**
 * Calls `run` with the id of the definition, which the runner receives only when it does not know it.
 *
 * Answers with what `run` answered, or with the runner's refusal to store the definition.
 */
export async function withDefinition(
	context: IExecuteFunctions,
	node: INode,
	definition: Definition,
	run: (id: string) => Promise<Answer>,
): Promise<Answer> {
	const text = JSON.stringify(definition);
	const key = createHash('sha256').update(text).digest('base64');
	const known = ids.get(key);
	if (known !== undefined) {
		const answer = await run(known);
		if (!(answer.status === 404 && answer.body.code === 'definition_unknown')) return answer;
		ids.delete(key);
	}
	const stored = await call(context, node, {
		method: 'PUT',
		path: '/v1/definitions',
		body: Buffer.from(text),
		timeoutMs: STORE_TIMEOUT_MS,
	});
	const { id } = stored.body;
	if (stored.status !== 200 || typeof id !== 'string') return stored;
	ids.set(key, id);
	return await run(id);
}
