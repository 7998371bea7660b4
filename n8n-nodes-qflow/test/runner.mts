import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import type {
	Analysis,
	Definition,
	Link,
	Problem,
	ReplyItem,
	RunReply,
} from '../nodes/QflowPython/api.js';

export interface RunBody {
	items: Array<{ json: Record<string, unknown>; binary?: Record<string, unknown> }>;
	args?: Array<Record<string, unknown>>;
}

export interface SeenRun {
	definition: Definition;
	query: Record<string, string>;
	body: RunBody;
	/** As it was sent, before any parsing. */
	text: string;
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
	) {}

	static problem(problem: Problem & { status: number }): Response {
		return new Response(problem.status, JSON.stringify(problem), 'application/problem+json');
	}
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
		const text = Buffer.concat(chunks).toString();
		const url = new URL(request.url ?? '', this.url);
		this.requests.push(`${request.method} ${url.pathname.replace(/[0-9a-f]{64}/, '{id}')}`);
		if (this.silent && request.method === 'POST') return;
		const answer =
			request.headers.authorization === `Bearer ${TOKEN}`
				? this.answer(request.method ?? '', url, text)
				: Response.problem({ status: 401, code: 'unauthorized', detail: 'The token is wrong.' });
		response.writeHead(answer.status, { 'content-type': answer.type }).end(answer.text);
	}

	private answer(method: string, url: URL, text: string): Response {
		if (method === 'PUT' && url.pathname === '/v1/definitions') {
			const id = createHash('sha256').update(text).digest('hex');
			this.definitions.set(id, JSON.parse(text) as Definition);
			return new Response(200, JSON.stringify({ id, functions: [] }));
		}
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
		const run = { definition, query: Object.fromEntries(url.searchParams), body, text };
		this.runs.push(run);
		const answer = this.behaviour(run);
		if (answer instanceof Response) return answer;
		const reply = { items: [], logs: [], hints: [], errors: 0, timing: {}, ...answer };
		return new Response(200, JSON.stringify(reply));
	}
}

const NOTHING_FOUND: Analysis = {
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
