import type {
	BinaryHelperFunctions,
	IExecuteFunctions,
	IHttpRequestMethods,
	ILoadOptionsFunctions,
	IN8nHttpFullResponse,
	INode,
} from 'n8n-workflow';
import { NodeOperationError, sleep } from 'n8n-workflow';

import { isRecord, sentence } from './errors';

/** A node at run time, or one whose panel is open. */
export type Caller = IExecuteFunctions | ILoadOptionsFunctions;

/** n8n's name for a stream: this package may not import Node.js modules. */
export type Readable = Awaited<ReturnType<BinaryHelperFunctions['getBinaryStream']>>;

export interface Call {
	method: IHttpRequestMethods;
	/** Path and query, below the runner's address. */
	path: string;
	/** JSON, or the content of a file. */
	body?: Buffer | Readable;
	/** Of a file; without it the body is JSON. */
	size?: number;
	/** How long to wait for the answer, from the first byte of the request on. */
	timeoutMs: number;
	/** Whether code may have been run when no answer comes. */
	runs?: boolean;
	headers?: Record<string, string>;
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

/** A runner without room for the request says so before anything was done with it. */
const NO_ROOM = new Set([429, 503]);

/** How long a running node waits for room altogether. */
const PATIENCE_MS = 60_000;

/** How soon it notices that its execution was cancelled. */
const LOOK_MS = 200;

/** By how much a pause is longer at random: those who were refused together do not come back together. */
const SPREAD = 0.25;

/**
 * Sends one request to the runner and reads its answer, whatever its status.
 *
 * Where the runner has no room, or is being restarted, and says when to come back, the request is sent again then: nothing ran.
 * The request ends with the n8n execution, and the runner then ends the run. Throws NodeOperationError
 * with a sentence for a person when there is no answer, or not one of a runner.
 */
export async function call(context: Caller, node: INode, request: Call): Promise<Answer> {
	// As bytes, so that an answer that is not JSON can be told from one that is.
	const until = Date.now() + PATIENCE_MS;
	for (;;) {
		const response = await send(context, node, request, 'arraybuffer');
		const pause = pauseBefore(context, request, response);
		if (pause === undefined || Date.now() + pause > until) {
			return await read(context, node, request, response.statusCode, response.body as Buffer);
		}
		await rest(context, node, pause);
	}
}

/** Milliseconds until the same request may find room; undefined where it is not to be sent again. */
function pauseBefore(
	context: Caller,
	{ size }: Call,
	{ statusCode, headers }: IN8nHttpFullResponse,
): number | undefined {
	// A panel does not keep a person waiting, and a stream is read only once.
	if (!NO_ROOM.has(statusCode) || !('getExecutionCancelSignal' in context)) return undefined;
	const seconds = Number(headers['retry-after'] ?? NaN);
	if (size !== undefined || !(seconds >= 0)) return undefined;
	return seconds * 1000 * (1 + SPREAD * Math.random());
}

/** Ends with the execution: n8n's own sleep that does is not for nodes, so this looks again and again. */
async function rest(context: Caller, node: INode, pause: number): Promise<void> {
	const until = Date.now() + pause;
	for (let left = pause; left > 0; left = until - Date.now()) {
		await sleep(Math.min(left, LOOK_MS));
		if (isCancelled(context)) throw sentence(node, 'The execution was canceled', '');
	}
}

/** The content of a file, as a stream, or the answer that says why there is none. */
export async function download(
	context: IExecuteFunctions,
	node: INode,
	request: Call,
): Promise<Readable | Answer> {
	const { statusCode, body } = await send(context, node, request, 'stream');
	const stream = body as unknown as Readable;
	if (statusCode === 200) return stream;
	return await read(
		context,
		node,
		request,
		statusCode,
		await context.helpers.binaryToBuffer(stream),
	);
}

async function read(
	context: Caller,
	node: INode,
	request: Call,
	status: number,
	bytes: Buffer,
): Promise<Answer> {
	const body = parse(bytes);
	if (status === 401) {
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
			`It answered ${request.path.split('?')[0]} with status ${status} and without` +
				' a JSON document. Correct the URL in the credential, or look at the proxy in between.',
		);
	}
	return { status, body };
}

async function send(
	context: Caller,
	node: INode,
	request: Call,
	encoding: 'arraybuffer' | 'stream',
): Promise<IN8nHttpFullResponse> {
	const { method, path, body, size, timeoutMs, headers } = request;
	try {
		return (await context.helpers.httpRequestWithAuthentication.call(context, 'qflowApi', {
			method,
			url: path,
			...(body === undefined ? {} : { body }),
			headers: { Accept: 'application/json', ...describe(size), ...headers },
			encoding,
			returnFullResponse: true,
			ignoreHttpStatusErrors: true,
			// Also because n8n's client keeps the whole of a body that it might have to send again.
			disableFollowRedirect: true,
			timeout: timeoutMs,
		})) as IN8nHttpFullResponse;
	} catch (error) {
		throw await noAnswer(context, node, error as Error, request);
	}
}

/** The headers of a body. Without its length, a stream would go in chunks, and one cut short look whole. */
function describe(size: number | undefined): Record<string, string> {
	return size === undefined
		? { 'Content-Type': 'application/json' }
		: { 'Content-Type': 'application/octet-stream', 'Content-Length': String(size) };
}

async function noAnswer(
	context: Caller,
	node: INode,
	error: Error,
	{ timeoutMs, runs }: Call,
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
			`${runs ? 'The code may still be running. ' : ''}Look at the runner's log.`,
		);
	}
	if (code !== undefined && CLOSED.has(code)) {
		return sentence(
			node,
			`The Qflow runner at ${await runnerUrl(context)} closed the connection before it answered`,
			`${runs ? 'The code may have run. ' : ''}See in the runner's log whether it was restarted (${code}).`,
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
