import http from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';

import type {
	IBinaryData,
	IDataObject,
	IExecuteFunctions,
	IHttpRequestOptions,
	INode,
	INodeExecutionData,
	INodeListSearchResult,
	INodePropertyOptions,
	ILoadOptionsFunctions,
	ISourceData,
	JsonObject,
	NodeExecutionHint,
	NodeTypeAndVersion,
	ResourceMapperFields,
} from 'n8n-workflow';
import { NodeApiError } from 'n8n-workflow';

import { QflowApi } from '../credentials/QflowApi.credentials.js';
import { QflowPython } from '../nodes/QflowPython/QflowPython.node.js';

export interface Setup {
	url: string;
	token: string;
	parameters: IDataObject;
	items: IDataObject[] | INodeExecutionData[];
	onError?: INode['onError'];
	mode?: 'manual' | 'trigger';
	signal?: AbortSignal;
	executionId?: string | undefined;
	nodeName?: string;
	/** The nodes before this one; by default the first one's first output is where the items come from. */
	parents?: NodeTypeAndVersion[];
	source?: ISourceData;
	/** What the credential of the type "Qflow Secrets" holds; absent: none is chosen. */
	secrets?: unknown;
	/** All nodes that follow, and what stands directly before each: by default this one. */
	children?: Array<Partial<NodeTypeAndVersion> & { before?: string[] }>;
}

export const NODE_TYPE = 'n8n-nodes-qflow.qflowPython';

/** The part of n8n's execution context that the node uses. */
export class FakeContext {
	readonly hints: NodeExecutionHint[] = [];
	readonly console: unknown[] = [];
	/** Paths and items of all parameters that were read. */
	readonly read: Array<[path: string, item: number]> = [];
	readonly node: INode;
	/** What n8n's store of binary data holds, by id. */
	readonly stored = new Map<string, Buffer>();
	/** Path and time limit of each request, in milliseconds. */
	readonly limits: Array<[path: string | undefined, timeout: number | undefined]> = [];
	/** How many requests were under way at the same time. */
	mostAtOnce = 0;
	private atOnce = 0;
	readonly helpers = {
		httpRequestWithAuthentication: this.request.bind(this),
		getBinaryMetadata: async (id: string) => ({ fileSize: this.contentOf(id).length }),
		getBinaryStream: async (id: string) => Readable.from([this.contentOf(id)]),
		binaryToBuffer: async (body: Readable) => await buffer(body),
		prepareBinaryData: this.keep.bind(this),
	};

	constructor(readonly setup: Setup) {
		this.node = {
			id: 'a',
			name: setup.nodeName ?? 'Python',
			type: NODE_TYPE,
			typeVersion: 1,
			position: [0, 0],
			parameters: {
				...setup.parameters,
				...('secrets' in setup
					? { options: { useSecrets: true, ...(setup.parameters.options as object) } }
					: {}),
			} as INode['parameters'],
			credentials: {
				qflowApi: { id: '1', name: 'Qflow' },
				...('secrets' in setup ? { qflowSecretsApi: { id: '2', name: 'Secrets' } } : {}),
			},
			...(setup.onError ? { onError: setup.onError } : {}),
		};
	}

	getNode() {
		return structuredClone(this.node);
	}

	getInputData(): INodeExecutionData[] {
		return this.setup.items.map((item, index) =>
			'json' in item
				? (item as INodeExecutionData)
				: { json: item as IDataObject, pairedItem: { item: index } },
		);
	}

	getParentNodes(name: string) {
		if (name === this.node.name) return this.setup.parents ?? [];
		const { before } = this.setup.children?.find((child) => child.name === name) ?? {};
		return (before ?? [this.node.name]).map((each) => ({ name: each }));
	}

	getChildNodes() {
		const plain = { type: NODE_TYPE, typeVersion: 1, disabled: false };
		return (this.setup.children ?? []).map((child) => ({ ...plain, ...child }));
	}

	getInputSourceData(): ISourceData {
		const previousNode = this.setup.parents?.[0]?.name;
		return this.setup.source ?? { previousNode: previousNode ?? 'Start' };
	}

	getCurrentNodeParameters() {
		return this.node.parameters;
	}

	getCurrentNodeParameter(path: string): unknown {
		return valueAt(this.node.parameters, path);
	}

	/** Expressions are JavaScript over `$json` and `$itemIndex`; one alone gives a value, others give text. */
	getNodeParameter(path: string, item: number, fallback?: unknown): unknown {
		this.read.push([path, item]);
		const found = valueAt(this.node.parameters, path) ?? fallback;
		const located = (found as { __rl?: boolean; value?: unknown } | undefined)?.__rl === true;
		const raw = located ? (found as { value: unknown }).value : found;
		if (typeof raw !== 'string' || !raw.startsWith('=')) return raw;
		const evaluate = (body: string): unknown =>
			new Function('$json', '$itemIndex', `return (${body})`)(
				this.getInputData()[item]?.json,
				item,
			);
		const parts = raw.slice(1).split(/\{\{(.*?)\}\}/s);
		if (parts.length === 3 && !parts[0] && !parts[2]) return evaluate(parts[1] ?? '');
		return parts.map((part, index) => (index % 2 ? String(evaluate(part)) : part)).join('');
	}

	continueOnFail() {
		return this.node.onError !== undefined && this.node.onError !== 'stopWorkflow';
	}

	getMode() {
		return this.setup.mode ?? 'trigger';
	}

	getWorkflow() {
		return { id: 'workflow-1', name: 'Test', active: false };
	}

	getExecutionId() {
		return 'executionId' in this.setup ? this.setup.executionId : 'execution-1';
	}

	getInstanceId() {
		return 'instance-1';
	}

	getExecutionCancelSignal() {
		return this.setup.signal;
	}

	addExecutionHints(...hints: NodeExecutionHint[]) {
		this.hints.push(...hints);
	}

	sendMessageToUI(...messages: unknown[]) {
		this.console.push(...messages);
	}

	async getCredentials(type: string) {
		if (this.node.credentials?.[type] === undefined) throw new Error(`There is no ${type}.`);
		return type === 'qflowApi' ? this.runner : { values: this.setup.secrets };
	}

	private get runner() {
		return { url: this.setup.url, token: this.setup.token };
	}

	/** As in n8n: the credential authenticates, cancelling the execution aborts, errors are wrapped. */
	private async request(_credential: string, options: IHttpRequestOptions) {
		const complete = await new QflowApi().authenticate(this.runner, options);
		this.limits.push([options.url?.split('?')[0], options.timeout]);
		this.atOnce += 1;
		this.mostAtOnce = Math.max(this.mostAtOnce, this.atOnce);
		try {
			return await send(complete, this.setup.signal);
		} catch (error) {
			throw new NodeApiError(this.node, error as JsonObject);
		} finally {
			this.atOnce -= 1;
		}
	}

	/** As n8n's `prepareBinaryData`, with a store in memory. */
	private async keep(content: Buffer | Readable, fileName?: string, mimeType?: string) {
		const bytes = Buffer.isBuffer(content) ? content : await buffer(content);
		const id = `store:${this.stored.size}`;
		this.stored.set(id, bytes);
		return { id, data: 'store', bytes: bytes.length, mimeType, fileName };
	}

	private contentOf(id: string): Buffer {
		const content = this.stored.get(id);
		if (content === undefined) throw new Error(`There is no ${id}.`);
		return content;
	}

	/** A file as an item of n8n has it. */
	async file(content: Buffer, fileName: string, mimeType: string): Promise<IBinaryData> {
		return (await this.keep(content, fileName, mimeType)) as IBinaryData;
	}

	/** What n8n holds under a file of an output item. */
	contentIn(item: INodeExecutionData | undefined, property: string): string | undefined {
		return this.stored.get(item?.binary?.[property]?.id ?? '')?.toString();
	}

	async execute(): Promise<INodeExecutionData[]> {
		const execute = new QflowPython().execute.bind(this as unknown as IExecuteFunctions);
		return (await execute())[0] ?? [];
	}

	/** The list of the parameter "Function". */
	async functions(): Promise<INodePropertyOptions[]> {
		const { getFunctions } = new QflowPython().methods.loadOptions;
		return await getFunctions.call(this as unknown as ILoadOptionsFunctions);
	}

	/** The list that shows the packages in use. */
	async packages(): Promise<INodePropertyOptions[]> {
		const { getPackages } = new QflowPython().methods.loadOptions;
		return await getPackages.call(this as unknown as ILoadOptionsFunctions);
	}

	/** The list of the parameter "Definition". */
	async saved(filter?: string, page?: string): Promise<INodeListSearchResult> {
		const { searchSaved } = new QflowPython().methods.listSearch;
		return await searchSaved.call(this as unknown as ILoadOptionsFunctions, filter, page);
	}

	/** The fields of the parameter "Arguments". */
	async fields(): Promise<ResourceMapperFields> {
		const { getParameters } = new QflowPython().methods.resourceMapping;
		return await getParameters.call(this as unknown as ILoadOptionsFunctions);
	}

	/** The error that the node throws. */
	async failure(): Promise<
		Error & { description: string; context: IDataObject; messages: string[] }
	> {
		return await this.execute().then(
			() => Promise.reject(new Error('The node did not fail.')),
			(error) => error,
		);
	}
}

function valueAt(parameters: unknown, path: string): unknown {
	const steps = path.split(/[.[\]]+/).filter((step) => step !== '');
	return steps.reduce(
		(value, step) => (value as Record<string, unknown> | undefined)?.[step],
		parameters,
	);
}

async function send(options: IHttpRequestOptions, signal?: AbortSignal) {
	return await new Promise((resolve, reject) => {
		const request = http.request(
			`${options.baseURL}${options.url}`,
			{
				method: options.method ?? 'GET',
				headers: options.headers as http.OutgoingHttpHeaders,
				agent: false,
				...(signal ? { signal } : {}),
			},
			(response) => {
				const { statusCode, headers } = response;
				if (options.encoding === 'stream') {
					resolve({ statusCode, headers, body: response });
					return;
				}
				buffer(response).then((body) => resolve({ statusCode, headers, body }), reject);
			},
		);
		request.on('error', reject);
		request.setTimeout(options.timeout ?? 0, () => {
			request.destroy(Object.assign(new Error('timeout'), { code: 'ECONNABORTED' }));
		});
		if (options.body instanceof Readable) options.body.pipe(request);
		else request.end(options.body);
	});
}
