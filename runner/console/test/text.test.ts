import { expect, test } from 'vitest';
import { clipped, linesOf, LONGEST_LINE, visible } from '@/lib/text';

test('characters that act or hide are shown, and the rest is left alone', () => {
	expect(visible('a\u001b[31mb\u0000\u007f')).toBe('a␛[31mb␀␡');
	expect(visible('user\u202Eexe')).toBe('user<U+202E>exe');
	expect(visible('<b>ü 漢 🎉</b>\tx')).toBe('<b>ü 漢 🎉</b>\tx');
});

test('a log is its lines with their streams, and a long line is cut', () => {
	const lines = linesOf([
		{ stream: 'stdout', text: 'one\ntwo\r\n' },
		{ stream: 'stderr', text: 'x'.repeat(LONGEST_LINE + 5) },
	]);

	expect(lines.map((line) => line.stream)).toEqual(['stdout', 'stdout', 'stderr']);
	expect(lines.map((line) => line.text.length)).toEqual([3, 3, LONGEST_LINE]);
	expect(lines[2]?.cut).toBe(5);
});

test('ten megabytes of lines are split while a person waits', () => {
	const began = performance.now();

	expect(linesOf([{ stream: 'stdout', text: '0123456789\n'.repeat(950_000) }])).toHaveLength(
		950_000,
	);
	expect(performance.now() - began).toBeLessThan(3_000);
});

test('a clipped text says that there is more', () => {
	expect(clipped('abcdef', 3)).toBe('abc…');
	expect(clipped('abc', 3)).toBe('abc');
});
