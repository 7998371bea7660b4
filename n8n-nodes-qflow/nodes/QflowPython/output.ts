import type { IExecuteFunctions } from 'n8n-workflow';

import type { LogLine, ReplyItem, RunReply } from './api';
import { explanation } from './errors';
import { toHtml, toHtmlCode, toLink } from './html';
import { printedLines } from './logs';

/** Characters of printed text that a hint shows. */
const HINT_LENGTH = 4_000;

/** Lines that go to the browser's console; each is a message of its own to the editor. */
const CONSOLE_LINES = 500;

/** A run in production that takes longer says what took its time; one that a person watches always does. */
const NOTICED_MS = 1_000;

/** Phases that took less are not worth a word, in a run of less than a second and in a longer one. */
const SHOWN_MS = [1, 10] as const;

/** Shows what the code printed, and the runner's hints, to the person who looks at the node. */
export function showOutput(context: IExecuteFunctions, logs: LogLine[], hints: string[]): void {
	for (const hint of hints) {
		context.addExecutionHints({ message: toHtml(hint), type: 'info', location: 'outputPane' });
	}
	const lines = printedLines(logs);
	if (lines.length === 0) return;
	context.addExecutionHints({ message: printedHint(lines), type: 'info', location: 'outputPane' });
	if (context.getMode() !== 'manual') return;
	for (const line of lines.slice(0, CONSOLE_LINES)) context.sendMessageToUI(line);
	if (lines.length > CONSOLE_LINES) {
		context.sendMessageToUI(`… ${lines.length - CONSOLE_LINES} more lines`);
	}
}

/** What the run's time went into and how much memory it took, with a link to its page. */
export function showCost(
	context: IExecuteFunctions,
	{ timing, resources, link }: Pick<RunReply, 'timing' | 'resources' | 'link'>,
): void {
	const total = Number(timing?.total_ms);
	if (!(total > (context.getMode() === 'manual' ? 0 : NOTICED_MS))) return;
	const least = total < NOTICED_MS ? SHOWN_MS[0] : SHOWN_MS[1];
	const phases = Object.entries(timing ?? {}).flatMap(([name, value]): Array<[string, number]> => {
		const ms = Number(value);
		if (name === 'total_ms' || !name.endsWith('_ms') || !(ms > 0)) return [];
		return [[name.slice(0, -3).replace(/_/g, ' '), ms]];
	});
	const rest = phases.reduce((left, [, ms]) => left - ms, total);
	if (phases.length > 0) phases.push(['other', rest]);
	const parts = phases.flatMap(([name, ms]) => (ms >= least ? [`${name} ${duration(ms)}`] : []));
	const peak = Math.round(Number(resources?.peak_mb));
	const memory = peak > 0 ? ` · ${peak} MB peak` : '';
	const cost = `${duration(total)}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}${memory}`;
	const page = toLink('Open the run', link);
	const message = `${toHtml(cost)}${page ? ` · ${page}` : ''}`;
	context.addExecutionHints({ message, type: 'info', location: 'outputPane' });
}

function duration(ms: number): string {
	if (ms < 1) return 'under 1 ms';
	return ms < NOTICED_MS ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function printedHint(lines: string[]): string {
	const text = lines.join('\n');
	const shown = text.length > HINT_LENGTH ? `${text.slice(0, HINT_LENGTH)}…` : text;
	const title = lines.length === 1 ? '1 line printed' : `${lines.length} lines printed`;
	return `${title}<br>\n${toHtmlCode(shown)}`;
}

/** Says how many items failed, and why the first did: the items themselves carry a sentence only. */
export function showFailures(context: IExecuteFunctions, items: ReplyItem[]): void {
	const problems = items.flatMap(({ error }) => (error === undefined ? [] : [error]));
	const [first] = problems;
	if (first === undefined) return;
	const count = problems.length === 1 ? '1 item failed' : `${problems.length} items failed`;
	const place = first.item === undefined ? '' : ` (item ${first.item})`;
	showFailure(context, `${count}${place}: ${first.detail}`, explanation(first));
}

/** `message` is plain text, `description` HTML. */
export function showFailure(
	context: IExecuteFunctions,
	message: string,
	description: string | null | undefined,
): void {
	const text = description ? `${toHtml(message)}<br><br>${description}` : toHtml(message);
	context.addExecutionHints({ message: text, type: 'warning', location: 'outputPane' });
}
