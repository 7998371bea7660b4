import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import type {
	Analysis,
	Definition,
	DefinitionReply,
	Link,
	Problem,
	ReplyItem,
	RunReply,
	SavedDefinition,
	SavedSummary,
} from '../nodes/QflowPython/api.js';

export interface RunBody {
	items: Array<{ json: Record<string, unknown>; binary?: Record<string, unknown> }>;
	args?: Array<Record<string, unknown>>;
	secrets?: Record<string, string>;
}

export interface SeenRun {
	definition: Definition;
	query: Record<string, string>;
	body: RunBody;
	/** As it was sent, before any parsing. */
	text: string;
	traceparent: string;
}

export interface CheckedWorkflow {
	nodes: Array<{ name: string; type: string; parameters: Record<string, unknown> }>;
	connections: object;
}

/** What the next runs answer; by default each item comes back as it is. */
export type Behaviour = (run: SeenRun) => Partial<RunReply> | Response;

/** An answer with a status, a content type and a text of its own. */
export class Response {
	constructor(
		readonly status: number,
		readonly text: string,
		readonly type = 'application/json',
		/** Whether the connection breaks before its end. */
		readonly cut = false,
		readonly headers: Record<string, string> = {},
	) {}

	static problem(problem: Problem & { status: number }, headers = {}): Response {
		const text = JSON.stringify(problem);
		return new Response(problem.status, text, 'application/problem+json', false, headers);
	}
}

export interface SeenFile {
	query: Record<string, string>;
	content: Buffer;
	length: string | undefined;
}

export const TOKEN = 'the-token-of-the-stub';

/** A runner that keeps to the HTTP API and runs no Python. */
export class StubRunner {
	readonly requests: string[] = [];
	readonly runs: SeenRun[] = [];
	readonly closedEarly: Promise<void>;
	behaviour: Behaviour = ({ body }) => ({ items: echo(body) });
	/** What it finds in any code. */
	analysis: Partial<Analysis> | Response = {};
	readonly analysed: Array<{ code: string; python?: string }> = [];
	/** What it finds of any workflow. */
	links: Array<Partial<Link>> | Response = [];
	readonly checked: CheckedWorkflow[] = [];
	/** Files by the ids that it gave them, and those that it has for the node. */
	readonly uploads = new Map<string, SeenFile>();
	readonly downloads = new Map<string, string | Response>();
	/** What it answers to an upload, or to a definition, instead of taking it. */
	refusal: Response | undefined;
	storing: Response | undefined;
	/** Definitions by name; a later one of a name is a newer version. */
	readonly saved: Array<SavedDefinition & SavedSummary> = [];
	/** What it adds to its answer to a definition. */
	reply: Partial<DefinitionReply> = {};
	/** Leaves runs unanswered. */
	silent = false;
	private readonly definitions = new Map<string, Definition>();
	private readonly server = createServer((request, response) => void this.serve(request, response));
	private onClosedEarly: () => void = () => undefined;

	constructor() {
		this.closedEarly = new Promise((resolve) => {
			this.onClosedEarly = resolve;
		});
	}

	async start(): Promise<this> {
		await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
		return this;
	}

	get url(): string {
		return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
	}

	/** As after a restart of the runner. */
	forget(): void {
		this.definitions.clear();
	}

	async stop(): Promise<void> {
		this.server.closeAllConnections();
		await new Promise((resolve) => this.server.close(resolve));
	}

	private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
		response.on('close', () => {
			if (!response.writableEnded) this.onClosedEarly();
		});
		const chunks: Buffer[] = [];
		for await (const chunk of request) chunks.push(chunk as Buffer);
		const content = Buffer.concat(chunks);
		const url = new URL(request.url ?? '', this.url);
		this.requests.push(`${request.method} ${url.pathname.replace(/[0-9a-f]{64}/, '{id}')}`);
		if (url.pathname === '/v1/files') {
			const query = Object.fromEntries(url.searchParams);
			const length = request.headers['content-length'];
			this.uploads.set(`file-${this.uploads.size}`, { query, content, length });
		}
		if (this.silent && request.method === 'POST') return;
		const answer =
			request.headers.authorization === `Bearer ${TOKEN}`
				? this.answer(request.method ?? '', url, content.toString(), request.headers)
				: Response.problem({ status: 401, code: 'unauthorized', detail: 'The token is wrong.' });
		const length = Buffer.byteLength(answer.text) + (answer.cut ? 1_000 : 0);
		response.writeHead(answer.status, {
			...answer.headers,
			'content-type': answer.type,
			'content-length': length,
		});
		if (answer.cut) response.write(answer.text, () => response.destroy());
		else response.end(answer.text);
	}

	private answer(
		method: string,
		url: URL,
		text: string,
		headers: IncomingMessage['headers'],
	): Response {
		if (method === 'PUT' && url.pathname === '/v1/definitions') {
			if (this.storing !== undefined) return this.storing;
			const id = createHash('sha256').update(text).digest('hex');
			this.definitions.set(id, JSON.parse(text) as Definition);
			return new Response(200, JSON.stringify({ id, functions: [], ...this.reply }));
		}
		if (url.pathname === '/v1/files') {
			const file = `file-${this.uploads.size - 1}`;
			return this.refusal ?? new Response(200, JSON.stringify({ file, size: 0 }));
		}
		if (url.pathname.startsWith('/v1/files/')) {
			const found = this.downloads.get(url.pathname.slice('/v1/files/'.length));
			if (found instanceof Response) return found;
			return found === undefined
				? Response.problem({ status: 404, detail: 'The file is gone.', hint: 'Run it again.' })
				: new Response(200, found, 'image/png');
		}
		if (url.pathname.startsWith('/v1/saved')) return this.savedAt(url);
		if (url.pathname === '/v1/analyze') {
			this.analysed.push(JSON.parse(text));
			return answered(this.analysis, (found) => ({ ...NOTHING_FOUND, ...found }));
		}
		if (url.pathname === '/v1/workflows/check') {
			this.checked.push(JSON.parse(text));
			return answered(this.links, (links) => ({ links, nodes: [], suggestions: [] }));
		}
		const id = /^\/v1\/definitions\/([0-9a-f]{64})\/runs$/.exec(url.pathname)?.[1];
		const definition = this.definitions.get(id ?? '');
		if (definition === undefined) {
			return Response.problem({ status: 404, code: 'definition_unknown', detail: 'Unknown.' });
		}
		const body = JSON.parse(text) as RunBody;
		const traceparent = String(headers.traceparent);
		const query = Object.fromEntries(url.searchParams);
		const run = { definition, query, body, text, traceparent };
		this.runs.push(run);
		const answer = this.behaviour(run);
		if (answer instanceof Response) return answer;
		const reply = { items: [], logs: [], hints: [], errors: 0, timing: {}, ...answer };
		return new Response(200, JSON.stringify(reply));
	}

	private savedAt({ pathname, searchParams }: URL): Response {
		const name = decodeURIComponent(pathname.slice('/v1/saved/'.length));
		const version = searchParams.get('version');
		if (name === '') {
			const start = Number(searchParams.get('cursor') ?? 0);
			const saved = this.saved.filter((each) => each.name.includes(searchParams.get('q') ?? ''));
			const cursor = start + PAGE < saved.length ? String(start + PAGE) : null;
			return new Response(200, JSON.stringify({ saved: saved.slice(start, start + PAGE), cursor }));
		}
		const found = [...this.saved]
			.reverse()
			.find((each) => each.name === name && (version === null || each.version === Number(version)));
		return found === undefined
			? Response.problem({ status: 404, code: 'saved_unknown', detail: `There is no ${name}.` })
			: new Response(200, JSON.stringify(found));
	}
}

const PAGE = 2;

export const NOTHING_FOUND: Analysis = {
	functions: [],
	entry: '',
	script: '',
	requirements: [],
	findings: [],
};

function answered<Content>(content: Content | Response, asJson: (content: Content) => object) {
	return content instanceof Response ? content : new Response(200, JSON.stringify(asJson(content)));
}

export function echo(body: RunBody): ReplyItem[] {
	return body.items.map(({ json }, pairedItem) => ({ json, pairedItem }));
}
