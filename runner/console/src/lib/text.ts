/** Text that strangers wrote, so that it can only be read: nothing in it acts, and nothing in it hides. */

/** Control characters, and those that turn the direction of what follows or take no room. */
const HIDDEN =
	// eslint-disable-next-line no-control-regex
	/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

export const LONGEST_LINE = 2_000;

export function visible(text: string): string {
	return text.replace(HIDDEN, (character) => {
		const code = character.codePointAt(0) ?? 0;
		if (code < 0x20) return String.fromCodePoint(0x2400 + code);
		if (code === 0x7f) return '\u2421';
		return `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`;
	});
}

export interface Line {
	text: string;
	/** Characters that are not shown. */
	cut: number;
	stream: string;
}

/** The lines of what was printed. A line that is too long to show is cut. */
export function linesOf(parts: readonly { stream: string; text: string }[]): Line[] {
	const lines: Line[] = [];
	for (const { stream, text } of parts) {
		const split = text.split(/\r\n|\n/);
		if (split.at(-1) === '') split.pop();
		for (const line of split) {
			lines.push({
				text: visible(line.slice(0, LONGEST_LINE)),
				cut: Math.max(0, line.length - LONGEST_LINE),
				stream,
			});
		}
	}
	return lines;
}

/** A short form of a long text, for a cell. */
export function clipped(text: string, limit: number): string {
	const shown = visible(text.slice(0, limit));
	return text.length > limit ? `${shown}…` : shown;
}
