import type { INode } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import type { Problem } from './api';
import { toHtml, toHtmlCode, toLink } from './html';
import { printedLines } from './logs';

/** How much of what was printed stands in an error; the last of it says most. */
const PRINTED_LINES = 20;

/** What the runner says of a failure, as n8n shows it. */
export function problemError(node: INode, problem: Problem): NodeOperationError {
	const error = sentence(node, problem.detail, explanation(problem), problem.item);
	if (problem.traceback) error.messages.push(problem.traceback);
	return error;
}

/** HTML: what to do, the traceback, and the last of what was printed. */
export function explanation({ hint, traceback, logs, link }: Problem): string {
	const parts: string[] = [];
	if (hint) parts.push(toHtml(hint));
	if (traceback) parts.push(toHtmlCode(traceback));
	const printed = printedLines(logs ?? []).slice(-PRINTED_LINES);
	if (printed.length > 0) parts.push(`Printed before:<br>${toHtmlCode(printed.join('\n'))}`);
	const page = toLink('Open the run in the console', link);
	if (page) parts.push(page);
	return parts.join('<br><br>');
}

/** An error whose message stays as written: n8n replaces one in which it finds a word such as EPERM. */
export function sentence(
	node: INode,
	message: string,
	description: string,
	itemIndex?: number,
): NodeOperationError {
	const error = new NodeOperationError(node, message, {
		description,
		...(itemIndex === undefined ? {} : { itemIndex }),
	});
	error.message = message;
	error.messages = [];
	return error;
}

/** Whether `value` is a problem document. A proxy's error page or another server's JSON is not. */
export function isProblem(value: unknown): value is Problem {
	return isRecord(value) && typeof value.detail === 'string';
}

export function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}
