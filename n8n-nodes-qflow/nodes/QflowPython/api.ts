/** The part of the runner's HTTP API that the node speaks. */

export type Mode = 'auto' | 'item' | 'all';

/** The body of `PUT /v1/definitions`: all that the result of a run depends on, except its items. */
export interface Definition {
	code: string;
	function?: string;
	python: string;
	mode: Mode;
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
