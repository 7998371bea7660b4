import { expect } from 'vitest';

import { test, withArguments } from './fixtures.mjs';

test('Without arguments none are sent', async ({ runner, prepare }) => {
	await prepare(withArguments(['', ''])).execute();

	expect(runner.runs[0]?.body).not.toHaveProperty('args');
});

test('An expression is evaluated for each item', async ({ runner, prepare }) => {
	await prepare(withArguments(['a', '={{ $json.n * 10 }}'], ['b', 'x'])).execute();

	expect(runner.runs[0]?.body.args).toEqual([
		{ a: 10, b: 'x' },
		{ a: 20, b: 'x' },
	]);
});

test('Only the values that hold an expression are asked for item by item', async ({ prepare }) => {
	const items = Array.from({ length: 1_000 }, (_, n) => ({ n }));
	const parameters = withArguments(['a', '7'], ['b', '={{ $json.n }}'], ['c', '={{ [1, 2] }}']);
	const context = prepare(parameters, { items });

	await context.execute();

	const asked = context.read.map(([path]) => path).filter((path) => path.startsWith('arguments'));
	expect(asked.filter((path) => path === 'arguments.argument[1].value')).toHaveLength(1_000);
	expect(asked.filter((path) => path === 'arguments.argument[2].value')).toHaveLength(1);
	expect(asked).toHaveLength(1_001);
});

test('Fixed arguments cost no evaluation at all, and are sent once', async ({
	runner,
	prepare,
}) => {
	const items = Array.from({ length: 1_000 }, (_, n) => ({ n }));
	const context = prepare(withArguments(['a', '7']), { items });

	await context.execute();

	expect(context.read.filter(([path]) => path.startsWith('arguments'))).toEqual([]);
	expect(runner.runs[0]?.body.args).toEqual([{ a: 7 }]);
});

test('A function that is called once sees the expressions of the first item', async ({
	runner,
	prepare,
}) => {
	const context = prepare({ mode: 'all', ...withArguments(['a', '={{ $json.n }}']) });

	await context.execute();

	expect(runner.runs[0]?.body.args).toEqual([{ a: 1 }]);
	expect(context.read.every(([, item]) => item === 0)).toBe(true);
});

test.for([
	['12', 12],
	[' 1.5 ', 1.5],
	['true', true],
	['null', null],
	['[1, "a"]', [1, 'a']],
	['{"a": {"b": 1}}', { a: { b: 1 } }],
	['text', 'text'],
	['"quoted"', '"quoted"'],
	['007', '007'],
	['', ''],
	['{broken', '{broken'],
] as const)('Fixed text %j is sent as %j', async ([text, value], { runner, prepare }) => {
	await prepare(withArguments(['a', text])).execute();

	expect(runner.runs[0]?.body.args).toEqual([{ a: value }]);
});

test('A long number keeps all its digits', async ({ runner, prepare }) => {
	await prepare(withArguments(['a', '12345678901234567890'])).execute();

	expect(runner.runs[0]?.text).toContain('"args":[{"a":12345678901234567890}]');
});

test('An expression may give a value of any type', async ({ runner, prepare }) => {
	await prepare(
		withArguments(['a', '={{ {x: [$json.n]} }}'], ['b', '={{ "42" + "" }}'], ['c', '={{ null }}']),
	).execute();

	expect(runner.runs[0]?.body.args?.[0]).toEqual({ a: { x: [1] }, b: '42', c: null });
});

test('An expression that yields nothing leaves the argument to its default', async ({
	runner,
	prepare,
}) => {
	await prepare(withArguments(['a', '={{ $json.missing }}'], ['b', '={{ $json.n }}'])).execute();

	expect(runner.runs[0]?.body.args).toEqual([{ b: 1 }, { b: 2 }]);
});

test('A value without a name, and a name given twice, are refused before any request', async ({
	runner,
	prepare,
}) => {
	const nameless = await prepare(withArguments(['a', 1], ['', 2])).failure();
	const twice = await prepare(withArguments(['a', 1], ['a', 2])).failure();

	expect(nameless.message).toEqual('Argument 2 has no name');
	expect(twice.message).toEqual('The argument "a" is given twice');
	expect(runner.requests).toEqual([]);
});
