import { expect, test } from 'vitest';
import type { FailureGroup, KnownType, Run } from '@/api/types';
import { bucketed, counted } from '@/lib/failures';
import { bytes, duration } from '@/lib/format';
import { barsOf, phasesOf } from '@/lib/phases';
import { referenceOf } from '@/lib/reference';
import { failingLines, framesOf } from '@/lib/traceback';
import { typeTree } from '@/lib/typeTree';

const ZERO = {
	packages_ms: 0,
	queue_ms: 0,
	sandbox_ms: 0,
	load_ms: 0,
	parse_ms: 0,
	bind_ms: 0,
	code_ms: 0,
	encode_ms: 0,
};
const run = (about: Partial<Run>) => ({ ...ZERO, ...about }) as Run;

test('figures read as a person says them', () => {
	expect([0.4, 12.3, 1_500, 90_000, 7_200_000].map(duration)).toEqual([
		'0.4 ms',
		'12 ms',
		'1.50 s',
		'1 min 30 s',
		'2 h 0 min',
	]);
	expect([999, 1_500, 20_000_000].map(bytes)).toEqual(['999 B', '1.5 kB', '20.0 MB']);
});

test('the phases of a run are its time, and what is not told apart is a phase too', () => {
	expect(
		phasesOf(run({ ms: 100, code_ms: 60, queue_ms: 10 })).map((phase) => [phase.id, phase.ms]),
	).toEqual([
		['waiting', 10],
		['code', 60],
		['other', 30],
	]);
});

test('bars stand where their runs were', () => {
	const { scale, bars } = barsOf([
		run({ id: 'b', ended: 200, ms: 50 }),
		run({ id: 'a', ended: 100, ms: 100 }),
	]);

	expect(scale).toEqual({ start: 0, ms: 200 });
	expect(bars.map((bar) => [bar.run.id, bar.from, bar.width])).toEqual([
		['a', 0, 0.5],
		['b', 0.75, 0.25],
	]);
});

const TRACEBACK = `Traceback (most recent call last):
  File "Price node", line 7, in label
    name = helper(order)
  File "Price node", line 2, in helper
    return order['customer']
KeyError: 'customer'
`;

test('the lines of a traceback are those of the code, the failing one last', () => {
	expect(framesOf(TRACEBACK).map((frame) => frame.name)).toEqual(['label', 'helper']);
	expect(failingLines({ traceback: TRACEBACK }, 'x\n'.repeat(9))).toEqual([7, 2]);
	expect(failingLines({ traceback: TRACEBACK }, 'short')).toEqual([]);
	expect(failingLines({ line: 1 }, 'short')).toEqual([1]);
	const foreign = TRACEBACK.replaceAll('Price node', '/layers/pandas/frame.py');
	expect(failingLines({ traceback: foreign }, 'x\n'.repeat(9))).toEqual([]);
});

test('failures are counted, the most frequent first, and laid out in time', () => {
	const group = (about: Partial<FailureGroup>): FailureGroup => ({
		workflow: 'w',
		node: 'n',
		category: 'type',
		code: 'c',
		count: 1,
		last: 0,
		run: 'r',
		execution: 'e',
		message: '',
		buckets: [],
		...about,
	});
	const groups = [
		group({ category: 'busy', last: 95, buckets: [0, 1] }),
		group({ code: 'one', count: 2, last: 60, buckets: [1, 1] }),
		group({ code: 'two', count: 3, last: 90, buckets: [0, 3] }),
	];

	expect(
		counted(groups, (each) => each.category).map((row) => [row.name, row.count, row.last.last]),
	).toEqual([
		['type', 5, 90],
		['busy', 1, 95],
	]);
	const summary = { since: 100, until: 200, bucket_ms: 50, total: 6, groups, partial: false };
	expect(bucketed(summary)).toEqual([
		{ from: 100, counts: { type: 1 }, total: 1 },
		{ from: 150, counts: { busy: 1, type: 4 }, total: 5 },
	]);
});

test('a type stands below what it is a kind of', () => {
	const type = (name: string, parent: string | null) => ({ name, parent }) as KnownType;
	const rows = typeTree([
		type('bool', 'int'),
		type('number', null),
		type('int', 'number'),
		type('str', 'Sequence'),
	]);

	expect(rows.map((row) => [row.name, row.depth])).toEqual([
		['number', 0],
		['int', 1],
		['bool', 2],
		['str', 0],
	]);
});

test('a reference is known by its mark alone', () => {
	expect(
		referenceOf({ $qflow: { ref: 'x', type: 'DataFrame', shape: [2, 1], preview: [{ a: 1 }] } }),
	).toEqual({
		ref: 'x',
		type: 'DataFrame',
		facts: [['shape', '[2,1]']],
		rows: [{ a: 1 }],
		preview: '',
	});
	expect(referenceOf({ a: 1 })).toBeUndefined();
});
