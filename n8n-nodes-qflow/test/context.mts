import http from 'node:http';

import type {
	IDataObject,
	IExecuteFunctions,
	IHttpRequestOptions,
	INode,
	INodeExecutionData,
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
}

/** The part of n8n's execution context that the node uses. */
export class FakeContext {
	readonly hints: NodeExecutionHint[] = [];
	readonly console: unknown[] = [];
	/** Paths and items of all parameters that were read. */
	readonly read: Array<[path: string, item: number]> = [];
	readonly node: INode;
	readonly helpers = { httpRequestWithAuthentication: this.request.bind(this) };

	constructor(private readonly setup: Setup) {
		this.node = {
			id: 'a',
			name: setup.nodeName ?? 'Python',
			type: 'n8n-nodes-qflow.qflowPython',
			typeVersion: 1,
			position: [0, 0],
			parameters: setup.parameters as INode['parameters'],
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

	getParentNodes() {
		return this.setup.parents ?? [];
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
		const raw = valueAt(this.node.parameters, path) ?? fallback;
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

	getExecutionCancelSignal() {
		return this.setup.signal;
	}

	addExecutionHints(...hints: NodeExecutionHint[]) {
		this.hints.push(...hints);
	}

	sendMessageToUI(...messages: unknown[]) {
		this.console.push(...messages);
	}

	async getCredentials() {
		return { url: this.setup.url, token: this.setup.token };
	}

	/** As in n8n: the credential authenticates, cancelling the execution aborts, errors are wrapped. */
	private async request(_credential: string, options: IHttpRequestOptions) {
		const complete = await new QflowApi().authenticate(await this.getCredentials(), options);
		try {
			return await send(complete, this.setup.signal);
		} catch (error) {
			throw new NodeApiError(this.node, error as JsonObject);
		}
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
				const chunks: Buffer[] = [];
				response.on('data', (chunk: Buffer) => chunks.push(chunk));
				response.on('error', reject);
				response.on('end', () => {
					resolve({ statusCode: response.statusCode, body: Buffer.concat(chunks) });
				});
			},
		);
		request.on('error', reject);
		request.setTimeout(options.timeout ?? 0, () => {
			request.destroy(Object.assign(new Error('timeout'), { code: 'ECONNABORTED' }));
		});
		request.end(options.body);
	});
}
