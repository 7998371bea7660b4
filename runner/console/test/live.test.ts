import { expect, test } from 'vitest';
import { parsed } from '@/api/sse';
import type { Happening, Json } from '@/api/types';
import { type LiveExecution, told } from '@/lib/live';

function after(...events: [string, Record<string, Json>, number][]): LiveExecution {
	let known: LiveExecution | undefined;
	for (const [kind, about, at] of events) {
		const event: Happening = { kind, execution: 'e', node: 'n', about };
		known = told(known, event, at);
	}
	if (!known) throw new Error('no event');
	return known;
}

test('an event is its kind and its data, and a comment is none', () => {
	expect(parsed('event: ended\ndata: {"execution": "e", "node": "n", "outcome": "ok"}')).toEqual({
		kind: 'ended',
		execution: 'e',
		node: 'n',
		about: { outcome: 'ok' },
	});
	expect(parsed(': still here')).toBeUndefined();
	expect(parsed('event: x\ndata: {')).toBeUndefined();
});

test('an execution runs until its last run has ended', () => {
	expect(after(['started', {}, 1]).running).toBe(1);
	const over = after(['started', {}, 1], ['ended', { outcome: 'type', ms: 5 }, 6]);
	expect([over.running, over.nodes.n?.state, over.nodes.n?.outcome]).toEqual([0, 'failed', 'type']);
});

test('progress and installation are told in words', () => {
	const now = after(
		['started', {}, 1],
		[
			'installing',
			{
				phase: 'downloading',
				package: 'numpy',
				packages_done: 1,
				packages_total: 3,
				bytes_done: 0,
				bytes_total: 2_000_000,
			},
			2,
		],
		['progress', { fraction: 0.5, text: 'half' }, 3],
	);

	expect(now.nodes.n?.news).toEqual([
		'downloading · numpy · 1 of 3 packages · 0 B of 2.0 MB',
		'half',
	]);
	expect(now.nodes.n?.fraction).toBe(0.5);
});

test('CPU is the share of one since the reading before', () => {
	const now = after(
		['started', {}, 0],
		['reading', { cpu_ms: 0, memory_mb: 10 }, 1_000],
		['reading', { cpu_ms: 100, memory_mb: 12 }, 1_200],
	);

	expect(now.nodes.n?.readings.map((reading) => [reading.memoryMb, reading.cpu])).toEqual([
		[10, 0],
		[12, 0.5],
	]);
});

test('what is printed is kept by its stream, and of a flood the end', () => {
	const print = (text: string, at: number): [string, Record<string, Json>, number] => [
		'printed',
		{ stream: at % 2 ? 'stderr' : 'stdout', text },
		at,
	];
	const now = after(
		['started', {}, 0],
		...Array.from({ length: 400 }, (_, at) => print(`line ${String(at)}\n`, at)),
	);

	expect(now.nodes.n?.printed).toHaveLength(300);
	expect(now.nodes.n?.printed.at(-1)).toEqual({ stream: 'stderr', text: 'line 399\n' });
	expect(after(['started', {}, 0], print('x', 1), ['started', {}, 2]).nodes.n?.printed).toEqual([]);
});

test('a line that comes in parts is one', () => {
	const print = (text: string, at: number): [string, Record<string, Json>, number] => [
		'printed',
		{ stream: 'stdout', text },
		at,
	];
	const now = after(['started', {}, 0], print('half ', 1), print('a line\n', 2), print('next', 3));

	expect(now.nodes.n?.printed.map((each) => each.text)).toEqual(['half a line\n', 'next']);
});
