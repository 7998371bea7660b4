/** What a traceback says of the user's source. */

const FRAME = /^ {2}File "([^"\n]*)", line (\d+)(?:, in (.*))?$/gm;

export interface Frame {
	file: string;
	line: number;
	name: string;
}

export function framesOf(traceback: string): Frame[] {
	return [...traceback.matchAll(FRAME)].map((match) => ({
		file: match[1] ?? '',
		line: Number(match[2]),
		name: match[3] ?? '',
	}));
}

/** The lines of the code that the failure went through, the failing one last. */
export function failingLines(
	problem: { traceback?: string | null; line?: number | null },
	code: string,
): number[] {
	const last = code.split('\n').length;
	const own = framesOf(problem.traceback ?? '').filter((frame) => !/[/\\]/.test(frame.file));
	const lines = own.map((frame) => frame.line);
	if (!lines.length && problem.line) lines.push(problem.line);
	return lines.filter((line) => line >= 1 && line <= last);
}
