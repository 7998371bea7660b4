import type { IExecuteFunctions, INode } from 'n8n-workflow';
import { createHash } from 'crypto';

import type { Definition, DefinitionReply } from './api';
import { Recent } from './recent';
import type { Answer } from './transport';
import { call } from './transport';

/** Analysing code and finding its Python takes the runner a moment at most. */
const STORE_TIMEOUT_MS = 60_000;

/** How long the newest version of a saved definition is taken to be the newest. */
const NEWEST_MS = 10_000;

interface Known {
	reply: DefinitionReply;
	until: number;
}

/** The runner's replies by the hash of their definition, in the whole n8n process. */
const replies = new Recent<Known>(1_000);

/**
 * Calls `run` with the runner's reply to the definition, which it receives only when it does not know it.
 *
 * Answers with what `run` answered, or with the runner's refusal to store the definition.
 */
export async function withDefinition(
	context: IExecuteFunctions,
	node: INode,
	definition: Definition,
	run: (reply: DefinitionReply) => Promise<Answer>,
): Promise<Answer> {
	const text = JSON.stringify(definition);
	const key = createHash('sha256').update(text).digest('base64');
	const known = replies.get(key);
	if (known !== undefined && known.until > Date.now()) {
		const answer = await run(known.reply);
		if (!(answer.status === 404 && answer.body.code === 'definition_unknown')) return answer;
		replies.delete(key);
	}
	const stored = await call(context, node, {
		method: 'PUT',
		path: '/v1/definitions',
		body: Buffer.from(text),
		timeoutMs: STORE_TIMEOUT_MS,
	});
	if (stored.status !== 200 || typeof stored.body.id !== 'string') return stored;
	const reply = stored.body as unknown as DefinitionReply;
	const follows = definition.saved !== undefined && definition.saved.version === undefined;
	replies.set(key, { reply, until: follows ? Date.now() + NEWEST_MS : Infinity });
	return await run(reply);
}
