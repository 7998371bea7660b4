/** The part of the runner's HTTP API that the node speaks. */

export type Mode = 'auto' | 'item' | 'all' | 'script';
export type Output = 'auto' | 'items' | 'reference';
export type Validation = 'strict' | 'coerce' | 'off';
export type ReferenceScope = 'workflow' | 'runner';
export type Sharing = 'copy' | 'shared';

/** A definition that the runner keeps by name. Without a version, the newest. */
export interface SavedRef {
	name: string;
	version?: number;
}

/**
 * The body of `PUT /v1/definitions`: all that the result of a run depends on, except its items.
 *
 * Either `code` or `saved`. What is absent is as the saved definition says, else the runner's default.
 */
export interface Definition {
	code?: string;
	saved?: SavedRef;
	function?: string;
	python?: string;
	/** Absent: as the header or the imports of the code say. */
	requirements?: string[];
	mode?: Mode;
	output?: Output;
	validation?: Validation;
	timeout_s?: number;
	/** Memory of the session, in MB of 2^20 bytes. Absent: what its sandbox has. */
	memory_mb?: number;
	/** CPUs of the session. Absent: what its sandbox has. */
	cpus?: number;
	/** How long a result answers the same input again; 0: never. */
	cache_ttl_s?: number;
	/** How many items are worked on at once. */
	parallel?: number;
	/** Who may use the references that a run answers. */
	reference_scope?: ReferenceScope;
	/** What parameters get of a referenced object. Absent: a copy of their own. */
	sharing?: Sharing;
	/** What the code may reach, as host:port or *.host:port. */
	egress?: string[];
	/** Whether a run is run again when its sandbox or session is lost. */
	idempotent?: boolean;
}

/** The answer to it, as far as the node needs it. A runner may be older than a member. */
export interface DefinitionReply {
	id: string;
	timeout_s?: number;
	/** Packages that a run installs when they are missing. */
	requirements?: string[];
	/** Whether a run reads the items' binary properties. */
	takes_files?: boolean;
}

/** One of the answer to `GET /v1/saved`. */
export interface SavedSummary {
	name: string;
	version: number;
	signature: string;
}

/** A file of an item: its content in base64, or the id under which the runner has it. */
export interface ItemFile {
	mimeType?: string;
	fileName?: string;
	/** Bytes. */
	fileSize?: number;
	data?: string;
	file?: string;
}

export interface LogLine {
	stream: 'stdout' | 'stderr';
	text: string;
}

/** An `application/problem+json` document, or what an item carries that failed alone. */
export interface Problem {
	detail: string;
	code?: string;
	status?: number;
	category?: string;
	hint?: string;
	node?: string;
	/** Index of the input item. */
	item?: number;
	parameter?: string;
	traceback?: string;
	logs?: LogLine[];
	/** The run's page in the console. */
	link?: unknown;
}

export interface ReplyItem {
	json: Record<string, unknown>;
	/** Made in a sandbox, as everything in an item: any JSON. */
	binary?: unknown;
	/** Index of the input item; absent where an output item comes from several. */
	pairedItem?: number;
	error?: Problem;
}

/** The answer to `POST /v1/definitions/{id}/runs`. */
export interface RunReply {
	items: ReplyItem[];
	logs: LogLine[];
	hints: string[];
	/** Milliseconds by phase, `total_ms` among them. */
	timing?: Record<string, unknown>;
	/** What the run used, `peak_mb` among it. */
	resources?: Record<string, unknown>;
	/** How many of `items` carry `error`. */
	errors: number;
	/** The run's page in the console; absent where the runner does not know its own address. */
	link?: unknown;
}

export interface Parameter {
	name: string;
	/** As Python writes it; empty where nothing is known. */
	type: string;
	required: boolean;
	/** Source text of the default. */
	default: string | null;
	/** Whether the type was worked out from the code, not written in it. */
	inferred: boolean;
	/** What its docstring says of it. */
	doc: string;
}

export interface PythonFunction {
	name: string;
	params: Parameter[];
	/** First line of its docstring and more. */
	doc: string;
	/** `invoice(order: Order, vat: float = 0.19) -> Invoice` */
	signature: string;
}

export interface Finding {
	severity: 'error' | 'warning' | 'info';
	message: string;
	hint: string;
	line: number;
	column: number;
}

export interface Requirement {
	requirement: string;
	/** The code's PEP 723 header, or an import. */
	source?: 'header' | 'import';
	/** The module that is imported. */
	module?: string;
}

/** The answer to `POST /v1/analyze`. */
export interface Analysis {
	functions: PythonFunction[];
	/** The function that is called when none is named; empty where that is none, or not clear. */
	entry: string;
	/** The dialect, where the code is a script and not functions. */
	script: string;
	requirements: Requirement[];
	findings: Finding[];
}

/** The answer to `GET /v1/saved/{name}`. */
export interface SavedDefinition {
	/** The name of the function that it calls; empty for a script. */
	function: string;
	content: { code: string; requirements: string[] };
	analysis: Analysis;
}

/** One connection between two nodes, as `POST /v1/workflows/check` judges it. */
export interface Link {
	from: string;
	to: string;
	verdict: 'assignable' | 'convertible' | 'unchecked' | 'incompatible';
	reason: string;
	suggestion: string;
}
