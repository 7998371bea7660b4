/** The runner's answers that the console reads, as /openapi.json describes them. */

export interface Problem {
	title: string;
	status: number;
	category: string;
	code: string;
	detail: string;
	hint?: string | null;
	node?: string | null;
	item?: number | null;
	parameter?: string | null;
	path?: string | null;
	expected?: string | null;
	actual?: string | null;
	line?: number | null;
	column?: number | null;
	version?: number | null;
	traceback?: string | null;
	run?: string;
	logs?: LogLine[] | null;
}

export interface LogLine {
	stream: 'stdout' | 'stderr';
	text: string;
}

export interface Readiness {
	ready: boolean;
	parts: Record<string, { ok: boolean; reason: string }>;
}

export interface Execution {
	workflow: string;
	execution: string;
	id: string;
	started: number;
	ended: number;
	failed: boolean;
	runs: number;
	failures: number;
	ms: number;
}

export interface Run {
	id: string;
	workflow: string;
	execution: string;
	node: string;
	definition: string;
	ended: number;
	outcome: string;
	code: string;
	ms: number;
	packages_ms: number;
	queue_ms: number;
	sandbox_ms: number;
	load_ms: number;
	parse_ms: number;
	bind_ms: number;
	code_ms: number;
	encode_ms: number;
	items_in: number;
	items_out: number;
	errors: number;
	bytes_in: number;
	bytes_out: number;
	peak_mb: number;
	cpu_ms: number;
	cached: boolean;
	python: string;
	layer: string;
}

export interface RunDetails extends Run {
	problem: Problem | null;
	logs: LogLine[];
}

/** Failures of one node that are alike; `run`, `execution` and `message` are the newest's. */
export interface FailureGroup {
	workflow: string;
	node: string;
	category: string;
	code: string;
	count: number;
	last: number;
	run: string;
	execution: string;
	message: string;
	/** How many there were in each span of time, the oldest first. */
	buckets: number[];
}

/** Times are milliseconds since 1970. */
export interface FailureSummary {
	since: number;
	until: number;
	bucket_ms: number;
	total: number;
	groups: FailureGroup[];
	/** There are more kinds of failures than these groups. */
	partial: boolean;
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface Binary {
	mimeType?: string;
	fileName?: string;
	fileSize?: number;
	data?: string;
	file?: string;
}

export interface Item {
	json: Record<string, Json>;
	binary?: Record<string, Binary>;
	pairedItem?: number | null;
	error?: Record<string, Json> | null;
}

export interface Resources {
	cpu_ms: number;
	peak_mb: number;
	read_mb: number;
	written_mb: number;
	processes: number;
}

export interface RunReply {
	items: Item[];
	logs: LogLine[];
	timing: Record<string, number>;
	hints: string[];
	errors: number;
	resources?: Resources;
	run?: string;
}

export interface Parameter {
	name: string;
	type: string;
	required: boolean;
	default: string | null;
	keyword_only: boolean;
	doc: string;
	inferred: boolean;
}

export interface FunctionInfo {
	name: string;
	line: number;
	params: Parameter[];
	returns: string;
	inferred: boolean;
	doc: string;
	signature: string;
}

export interface Requirement {
	requirement: string;
	source: 'header' | 'import';
	module: string;
	installed: boolean | null;
}

export interface Finding {
	severity: 'error' | 'warning' | 'info';
	code: string;
	message: string;
	hint: string;
	line: number;
	column: number;
}

export interface Analysis {
	functions: FunctionInfo[];
	entry: string;
	script: string;
	imports: string[];
	requirements: Requirement[];
	findings: Finding[];
}

export type Verdict = 'assignable' | 'convertible' | 'unchecked' | 'incompatible';

export interface Judgement {
	verdict: Verdict;
	reason: string;
	suggestion: string;
}

export interface KnownType {
	name: string;
	group: string;
	parent: string | null;
	ancestors: string[];
	verdict: Verdict | null;
	reason: string;
}

export interface DefinitionContent {
	id: string;
	code: string;
	function: string;
	python: string;
	requirements?: string[];
}

export interface SavedEntry {
	name: string;
	version: number;
	function: string;
	signature: string;
	created: string;
	updated: string;
}

export interface SavedContent {
	name: string;
	version: number;
	definition: string;
	content: DefinitionContent;
	analysis: Analysis;
}

export interface CheckedLink {
	from: string;
	to: string;
	output: number;
	input: number;
	source: string;
	target: string;
	parameter: string;
	verdict: Verdict;
	reason: string;
	suggestion: string;
	path: string[];
}

export interface CheckedNode {
	name: string;
	id: string;
	signature: string;
	findings: Finding[];
}

export interface WorkflowCheck {
	ok: boolean;
	links: CheckedLink[];
	nodes: CheckedNode[];
}

export interface KeptWorkflow {
	id: string;
	name: string;
	ok: boolean;
	nodes: number;
	links: number;
	refused: number;
	bytes: number | null;
}

export interface WorkflowNode {
	id?: string;
	name: string;
	type: string;
	position?: [number, number];
	parameters?: Record<string, Json>;
	disabled?: boolean;
	[other: string]: Json | undefined;
}

export interface Connection {
	node: string;
	type: string;
	index: number;
}

export type Connections = Record<string, { main?: (Connection[] | null)[] }>;

export interface Workflow {
	id?: string | null;
	name?: string;
	nodes: WorkflowNode[];
	connections: Connections;
}

export interface NodeRun {
	status: 'ok' | 'error' | 'skipped';
	items: Item[][];
	ms: number;
	logs: LogLine[];
	hints: string[];
	problem?: Problem;
	reason?: string;
}

export interface WorkflowRunReply {
	execution: string;
	ok: boolean;
	nodes: Record<string, NodeRun>;
	order: string[];
	ms: number;
	hints: string[];
}

export interface Sandbox {
	id: string;
	state: string;
	python: string;
	workflow?: string | null;
	sessions: number;
	age_s?: number;
	memory_mb?: number | null;
	memory_limit_mb?: number | null;
	cpu_s?: number | null;
	cpus?: number | null;
	processes?: number | null;
}

export interface Layer {
	id: string;
	python: string;
	packages: { name: string; version: string; size: number }[];
	bytes: number;
	built: number;
	used: number;
	held: number;
	warnings: string[];
	audit?: LayerAudit | null;
}

export interface LayerAudit {
	worst: string;
	packages: { name: string; version: string; verdict: string; advisories?: Advisory[] }[];
}

export interface Advisory {
	id: string;
	summary?: string;
	fixedIn?: string[];
}

export interface SettingRow {
	name: string;
	value: Json;
	default: Json;
	unit: string;
	help: string;
}

export interface Token {
	id: string;
	name: string;
	scopes: string[];
	created: string;
	created_by: string;
	expires: string | null;
	used: string | null;
	revoked: string | null;
}

export interface AuditEvent {
	seq: number;
	at: number;
	runner: string;
	actor: string;
	name: string;
	origin: string;
	action: string;
	object: string;
	outcome: string;
	details: Record<string, Json>;
	hash: string;
}

export interface Happening {
	kind: string;
	execution: string;
	node: string;
	about: Record<string, Json>;
}
