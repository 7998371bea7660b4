/** The part of the runner's HTTP API that the node speaks. */

export type Mode = 'auto' | 'item' | 'all' | 'script';
export type Output = 'auto' | 'items';
export type Validation = 'strict' | 'coerce' | 'off';

/** The body of `PUT /v1/definitions`: all that the result of a run depends on, except its items. */
export interface Definition {
	code: string;
	function?: string;
	python: string;
	/** Absent: as the imports say. */
	requirements?: string[];
	mode: Mode;
	output: Output;
	validation: Validation;
	timeout_s: number;
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
}

export interface ReplyItem {
	json: Record<string, unknown>;
	/** Index of the input item; absent where an output item comes from several. */
	pairedItem?: number;
	error?: Problem;
}

/** The answer to `POST /v1/definitions/{id}/runs`. */
export interface RunReply {
	items: ReplyItem[];
	logs: LogLine[];
	hints: string[];
	/** How many of `items` carry `error`. */
	errors: number;
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

/** The answer to `POST /v1/analyze`. */
export interface Analysis {
	functions: PythonFunction[];
	/** The function that is called when none is named; empty where that is none, or not clear. */
	entry: string;
	/** The dialect, where the code is a script and not functions. */
	script: string;
	requirements: Array<{ requirement: string }>;
	findings: Finding[];
}

/** One connection between two nodes, as `POST /v1/workflows/check` judges it. */
export interface Link {
	from: string;
	to: string;
	verdict: 'assignable' | 'convertible' | 'unchecked' | 'incompatible';
	reason: string;
	suggestion: string;
}
