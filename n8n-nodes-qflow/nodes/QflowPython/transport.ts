import type {
	IExecuteFunctions,
	IHttpRequestMethods,
	ILoadOptionsFunctions,
	IN8nHttpFullResponse,
	INode,
} from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import { isRecord, sentence } from './errors';

/** A node at run time, or one whose panel is open. */
export type Caller = IExecuteFunctions | ILoadOptionsFunctions;

export interface Call {
	method: IHttpRequestMethods;
	/** Path and query, below the runner's address. */
	path: string;
	body: Buffer;
	/** How long to wait for the answer. */
	timeoutMs: number;
}

export interface Answer {
	status: number;
	body: Record<string, unknown>;
}

const UNREACHABLE = new Set([
	'ECONNREFUSED',
	'ENOTFOUND',
	'EAI_AGAIN',
	'EHOSTUNREACH',
	'ENETUNREACH',
	'ETIMEDOUT',
]);
const CLOSED = new Set(['ECONNRESET', 'EPIPE', 'ERR_BAD_RESPONSE']);

/**
 * Sends one request to the runner and reads its answer, whatever its status.
 *
 * The request ends with the n8n execution, and the runner then ends the run. Throws NodeOperationError
 * with a sentence for a person when there is no answer, or not one of a runner.
 */
export async function call(context: Caller, node: INode, request: Call): Promise<Answer> {
	const response = await send(context, node, request);
	const body = parse(response.body as Buffer);
	if (response.statusCode === 401) {
		const url = await runnerUrl(context);
		throw sentence(
			node,
			`The Qflow runner at ${url} refuses the token`,
			'Correct the token in the credential. The runner printed its token at its first start, or' +
				' took it from QFLOW_TOKEN.',
		);
	}
	if (!isRecord(body)) {
		const url = await runnerUrl(context);
		throw sentence(
			node,
			`What answers at ${url} is not a Qflow runner`,
			`It answered ${request.path.split('?')[0]} with status ${response.statusCode} and without` +
				' a JSON document. Correct the URL in the credential, or look at the proxy in between.',
		);
	}
	return { status: response.statusCode, body };
}

async function send(
	context: Caller,
	node: INode,
	{ method, path, body, timeoutMs }: Call,
): Promise<IN8nHttpFullResponse> {
	try {
		return (await context.helpers.httpRequestWithAuthentication.call(context, 'qflowApi', {
			method,
			url: path,
			body,
			headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
			// As bytes, so that an answer that is not JSON can be told from one that is.
			encoding: 'arraybuffer',
			returnFullResponse: true,
			ignoreHttpStatusErrors: true,
			disableFollowRedirect: true,
			timeout: timeoutMs,
		})) as IN8nHttpFullResponse;
	} catch (error) {
		throw await noAnswer(context, node, error as Error, timeoutMs);
	}
}

async function noAnswer(
	context: Caller,
	node: INode,
	error: Error,
	timeoutMs: number,
): Promise<NodeOperationError> {
	if (isCancelled(context)) return sentence(node, 'The execution was canceled', '');
	const code = codeOf(error);
	if (code !== undefined && UNREACHABLE.has(code)) {
		return sentence(
			node,
			`The Qflow runner at ${await runnerUrl(context)} does not answer`,
			'Start the runner (qflow serve), or correct the URL in the credential: the address is ' +
				`used from the machine that n8n runs on (${code}).`,
		);
	}
	if (code === 'ECONNABORTED') {
		return sentence(
			node,
			`The Qflow runner at ${await runnerUrl(context)} did not answer within ${timeoutMs / 1000} seconds`,
			"The code may still be running. Look at the runner's log.",
		);
	}
	if (code !== undefined && CLOSED.has(code)) {
		return sentence(
			node,
			`The Qflow runner at ${await runnerUrl(context)} closed the connection before it answered`,
			`The code may have run. See in the runner's log whether it was restarted (${code}).`,
		);
	}
	return new NodeOperationError(node, error);
}

export function isCancelled(context: Caller): boolean {
	return (
		'getExecutionCancelSignal' in context && context.getExecutionCancelSignal()?.aborted === true
	);
}

/** n8n wraps the HTTP client's error once or twice. */
function codeOf(error: unknown): string | undefined {
	for (let each = error; each instanceof Error; each = each.cause) {
		const { code } = each as Error & { code?: unknown };
		if (typeof code === 'string') return code;
	}
	return undefined;
}

function parse(body: Buffer): unknown {
	try {
		return JSON.parse(body.toString());
	} catch {
		return undefined;
	}
}

/** Asked for only when something is wrong: n8n reads the credential from its database each time. */
async function runnerUrl(context: Caller): Promise<string> {
	const { url } = await context.getCredentials<{ url: string }>('qflowApi');
	return url;
}
