import { expect } from 'vitest';

import { test, withArguments } from './fixtures.mjs';

test('Without arguments none are sent', async ({ runner, prepare }) => {
	await prepare(withArguments({})).execute();

	expect(runner.runs[0]?.body).not.toHaveProperty('args');
});

test('An expression is evaluated for each item', async ({ runner, prepare }) => {
	await prepare(withArguments({ a: '={{ $json.n * 10 }}', b: 'x' })).execute();

	expect(runner.runs[0]?.body.args).toEqual([
		{ a: 10, b: 'x' },
		{ a: 20, b: 'x' },
	]);
});

test('Only the values that hold an expression are asked for item by item', async ({ prepare }) => {
	const items = Array.from({ length: 1_000 }, (_, n) => ({ n }));
	const parameters = withArguments({ a: 7, b: '={{ $json.n }}', c: '={{ [1, 2] }}' });
	const context = prepare(parameters, { items });

	await context.execute();

	const asked = context.read.map(([path]) => path).filter((path) => path.startsWith('arguments'));
	expect(asked.filter((path) => path === 'arguments.value.b')).toHaveLength(1_000);
	expect(asked.filter((path) => path === 'arguments.value.c')).toHaveLength(1);
	expect(asked).toHaveLength(1_001);
});

test('Fixed arguments cost no evaluation at all, and are sent once', async ({
	runner,
	prepare,
}) => {
	const items = Array.from({ length: 1_000 }, (_, n) => ({ n }));
	const context = prepare(withArguments({ a: 7 }), { items });

	await context.execute();

	expect(context.read.filter(([path]) => path.startsWith('arguments'))).toEqual([]);
	expect(runner.runs[0]?.body.args).toEqual([{ a: 7 }]);
});

test('A function that is called once sees the expressions of the first item', async ({
	runner,
	prepare,
}) => {
	const context = prepare({ mode: 'all', ...withArguments({ a: '={{ $json.n }}' }) });

	await context.execute();

	expect(runner.runs[0]?.body.args).toEqual([{ a: 1 }]);
	expect(context.read.every(([, item]) => item === 0)).toBe(true);
});

test.for([
	[12, 12],
	[false, false],
	[' 1.5 ', 1.5],
	['true', true],
	['null', null],
	['[1, "a"]', [1, 'a']],
	['{"a": {"b": 1}}', { a: { b: 1 } }],
	['text', 'text'],
	['"quoted"', '"quoted"'],
	['007', '007'],
	['{broken', '{broken'],
] as const)('A plain field with %j sends %j', async ([given, value], { runner, prepare }) => {
	await prepare(withArguments({ a: given })).execute();

	expect(runner.runs[0]?.body.args).toEqual([{ a: value }]);
});

test.for(['42', 'true', '[1]', ' text '])(
	'A field for text sends %j as it is',
	async (text, { runner, prepare }) => {
		await prepare(withArguments({ a: text, b: text }, { a: 'string', b: 'options' })).execute();

		expect(runner.runs[0]?.body.args).toEqual([{ a: text, b: text }]);
	},
);

test.for(['', null, undefined])(
	'An empty field (%j) is left out',
	async (empty, { runner, prepare }) => {
		const kinds = { a: 'number', b: 'string', c: 'options' } as const;

		await prepare(withArguments({ a: empty, b: empty, c: empty, d: 1 }, kinds)).execute();
		await prepare(withArguments({ a: empty })).execute();

		expect(runner.runs[0]?.body.args).toEqual([{ d: 1 }]);
		expect(runner.runs[1]?.body).not.toHaveProperty('args');
	},
);

test('A long number keeps all its digits', async ({ runner, prepare }) => {
	await prepare(withArguments({ a: '12345678901234567890' })).execute();

	expect(runner.runs[0]?.text).toContain('"args":[{"a":12345678901234567890}]');
});

test('Text around expressions may be JSON, except in a field for text', async ({
	runner,
	prepare,
}) => {
	const text = '=[{{ $json.n }}, {{ 2 }}]';

	await prepare(
		withArguments({ a: text, b: text, c: '={{ $json.n }}{{ 0 }}' }, { b: 'string' }),
	).execute();

	expect(runner.runs[0]?.body.args?.[0]).toEqual({ a: [1, 2], b: '[1, 2]', c: 10 });
});

test('An expression may give a value of any type', async ({ runner, prepare }) => {
	await prepare(
		withArguments({ a: '={{ {x: [$json.n]} }}', b: '={{ "42" + "" }}', c: '={{ null }}' }),
	).execute();

	expect(runner.runs[0]?.body.args?.[0]).toEqual({ a: { x: [1] }, b: '42', c: null });
});

test('An expression that yields nothing leaves the argument to its default', async ({
	runner,
	prepare,
}) => {
	await prepare(withArguments({ a: '={{ $json.missing }}', b: '={{ $json.n }}' })).execute();

	expect(runner.runs[0]?.body.args).toEqual([{ b: 1 }, { b: 2 }]);
});
