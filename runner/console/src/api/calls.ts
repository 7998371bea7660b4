/** Every call that the console makes, by what it is for. */
import { whole } from '@/lib/workflowText';
import { blob, call, type CallOptions } from './http';
import type {
	Analysis,
	AuditEvent,
	DefinitionContent,
	Execution,
	FailureSummary,
	Item,
	Json,
	Judgement,
	KeptWorkflow,
	KnownType,
	Layer,
	Readiness,
	Run,
	RunDetails,
	RunReply,
	Sandbox,
	SavedContent,
	SavedEntry,
	SettingRow,
	Token,
	Workflow,
	WorkflowCheck,
	WorkflowRunReply,
} from './types';

type Signal = AbortSignal | undefined;
const part = encodeURIComponent;

export interface ExecutionFilter {
	workflow?: string | undefined;
	failed?: boolean | undefined;
	since?: number | undefined;
	before?: string | undefined;
}

export interface RunFilter extends ExecutionFilter {
	execution?: string | undefined;
	node?: string | undefined;
	outcome?: string | undefined;
	limit?: number | undefined;
}

export interface Draft {
	code: string;
	function?: string;
	python?: string;
	requirements?: string[];
	mode?: string;
	output?: string;
}

export const readiness = (signal?: Signal) =>
	call<Readiness>('GET', '/readyz', options(signal, { accept: [503] }));

export const executions = (filter: ExecutionFilter, signal?: Signal) =>
	call<{ executions: Execution[]; next: string | null }>(
		'GET',
		'/v1/executions',
		options(signal, { query: { ...filter, limit: 50 } }),
	);

export const execution = (id: string, workflow: string, signal?: Signal) =>
	call<{ executions: Execution[]; runs: Run[] }>(
		'GET',
		`/v1/executions/${part(id)}`,
		options(signal, { query: { workflow } }),
	);

export const runs = (filter: RunFilter, signal?: Signal) =>
	call<{ runs: Run[]; next: string | null; partial: boolean }>(
		'GET',
		'/v1/runs',
		options(signal, { query: { limit: 50, ...filter } }),
	);

export const failures = (since: number, signal?: Signal) =>
	call<FailureSummary>('GET', '/v1/errors/summary', options(signal, { query: { since } }));

export const run = (id: string, signal?: Signal) =>
	call<RunDetails>('GET', `/v1/runs/${part(id)}`, options(signal));

export const replay = (id: string, code: string) =>
	call<RunReply>('POST', `/v1/runs/${part(id)}/replay`, { body: code ? { code } : {} });

export const definition = (id: string, signal?: Signal) =>
	call<DefinitionContent>('GET', `/v1/definitions/${part(id)}`, options(signal));

export const analyze = (code: string, python: string, requirements: string[], signal?: Signal) =>
	call<Analysis>(
		'POST',
		'/v1/analyze',
		options(signal, {
			body: { code, python, ...(requirements.length ? { requirements } : {}) },
		}),
	);

export const define = (draft: Draft) =>
	call<{ id: string; requirements: string[] }>('PUT', '/v1/definitions', { body: draft });

export const runDefinition = (
	id: string,
	where: { workflow: string; execution: string; node: string },
	items: Item[],
	args: Record<string, Json>,
	signal?: Signal,
) =>
	call<RunReply>(
		'POST',
		`/v1/definitions/${part(id)}/runs`,
		options(signal, {
			query: { ...where, on_error: 'stop' },
			body: { items, ...(Object.keys(args).length ? { args: [args] } : {}) },
		}),
	);

export const endSession = (execution: string) =>
	call<{ ended: number }>('DELETE', `/v1/executions/${part(execution)}/session`);

export const file = (id: string, workflow: string) =>
	blob(`/v1/files/${part(id)}`, { query: { workflow } });

export const saved = (signal?: Signal) =>
	call<{ saved: SavedEntry[] }>('GET', '/v1/saved', options(signal, { query: { limit: 200 } }));

export const savedContent = (name: string, signal?: Signal) =>
	call<SavedContent>('GET', `/v1/saved/${part(name)}`, options(signal));

export const save = (name: string, draft: Draft & { note: string; based_on: number }) =>
	call<{ name: string; version: number; added: boolean }>('PUT', `/v1/saved/${part(name)}`, {
		body: draft,
	});

export const forget = (name: string) =>
	call<{ deleted: string }>('DELETE', `/v1/saved/${part(name)}`);

export const types = (query: { source?: string; target?: string }, signal?: Signal) =>
	call<{ types: KnownType[] }>('GET', '/v1/types', options(signal, { query }));

export const judge = (source: string, target: string, signal?: Signal) =>
	call<Judgement>('POST', '/v1/types/check', options(signal, { body: { source, target } }));

export const workflows = (signal?: Signal) =>
	call<{ workflows: KeptWorkflow[] }>('GET', '/v1/workflows', options(signal));

export const workflowContent = async (id: string, signal?: Signal) =>
	whole(await call<Partial<Workflow>>('GET', `/v1/workflows/${part(id)}/content`, options(signal)));

export const workflowCheck = (id: string, signal?: Signal) =>
	call<WorkflowCheck>('GET', `/v1/workflows/${part(id)}`, options(signal));

export const checkWorkflow = (workflow: Workflow, signal?: Signal) =>
	call<WorkflowCheck>('POST', '/v1/workflows/check', options(signal, { body: workflow }));

export const putWorkflow = (id: string, workflow: Workflow) =>
	call<WorkflowCheck>('PUT', `/v1/workflows/${part(id)}`, { body: workflow });

export const runWorkflow = (id: string, execution: string, items: Item[] | undefined) =>
	call<WorkflowRunReply>('POST', `/v1/workflows/${part(id)}/runs`, {
		body: { execution, ...(items ? { items } : {}) },
	});

export const sandboxes = (signal?: Signal) =>
	call<{ sandboxes: Sandbox[] }>('GET', '/v1/sandboxes', options(signal));

export const retireSandbox = (id: string) =>
	call<{ retired: string }>('POST', `/v1/sandboxes/${part(id)}/retire`);

export const layers = (audit: boolean, signal?: Signal) =>
	call<{ layers: Layer[] }>('GET', '/v1/layers', options(signal, { query: { audit } }));

export const removeLayer = (id: string) =>
	call<{ removed: boolean }>('DELETE', `/v1/layers/${part(id)}`);

export const settings = (signal?: Signal) =>
	call<{ settings: SettingRow[] }>('GET', '/v1/settings', options(signal));

export const tokens = (signal?: Signal) =>
	call<{ tokens: Token[] }>('GET', '/v1/tokens', options(signal));

export const createToken = (name: string, scopes: string[], expires: string) =>
	call<Token & { token: string }>('POST', '/v1/tokens', { body: { name, scopes, expires } });

export const revokeToken = (id: string) =>
	call<{ revoked: string }>('DELETE', `/v1/tokens/${part(id)}`);

export const audit = (
	query: { before?: number; action?: string; actor?: string; outcome?: string },
	signal?: Signal,
) =>
	call<{ events: AuditEvent[]; next: number | null }>(
		'GET',
		'/v1/audit',
		options(signal, { query: { ...query, limit: 50 } }),
	);

function options(signal: Signal, more: CallOptions = {}): CallOptions {
	return signal ? { ...more, signal } : more;
}
