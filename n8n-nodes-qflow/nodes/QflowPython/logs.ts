import type { LogLine } from './api';

/** The lines of what was printed, whichever stream they went to. */
export function printedLines(logs: LogLine[]): string[] {
	const text = logs.map((each) => each.text).join('');
	return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}
