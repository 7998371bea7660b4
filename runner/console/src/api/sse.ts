/** Server-sent events over fetch, because an EventSource cannot carry a token. */
import { send } from './http';
import type { Happening, Json } from './types';

/** Raises ApiError when it is refused or cut; returns when the runner ends it. */
export async function* happenings(
	path: string,
	signal: AbortSignal,
	opened: () => void = () => undefined,
): AsyncGenerator<Happening> {
	const response = await send('GET', path, { signal });
	opened();
	if (!response.body) return;
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	let text = '';
	try {
		for (;;) {
			const { done, value } = await reader.read();
			if (done) return;
			text += value;
			const blocks = text.split('\n\n');
			text = blocks.pop() ?? '';
			for (const block of blocks) {
				const event = parsed(block);
				if (event) yield event;
			}
		}
	} finally {
		await reader.cancel().catch(() => undefined);
	}
}

/** One block of the stream; undefined for a comment, and for what is not one of ours. */
export function parsed(block: string): Happening | undefined {
	let kind = '';
	const data: string[] = [];
	for (const line of block.split('\n')) {
		if (line.startsWith('event:')) kind = line.slice(6).trim();
		else if (line.startsWith('data:')) data.push(line.slice(5).trimStart());
	}
	if (!kind || !data.length) return undefined;
	try {
		const about = JSON.parse(data.join('\n')) as Record<string, Json>;
		const { execution, node, ...rest } = about;
		return { kind, execution: String(execution ?? ''), node: String(node ?? ''), about: rest };
	} catch {
		return undefined;
	}
}
