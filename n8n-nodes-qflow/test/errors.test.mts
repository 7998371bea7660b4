import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { NodeOperationError } from 'n8n-workflow';
import { expect } from 'vitest';

import type { Problem } from '../nodes/QflowPython/api.js';
import { test, withArguments } from './fixtures.mjs';
import { Response } from './runner.mjs';

const FAILED: Problem & { status: number } = {
	status: 422,
	code: 'code_failed',
	category: 'user_code',
	detail: 'ValueError: EPERM is <no> name',
	hint: 'Look at `f`.',
	item: 1,
	traceback: 'Traceback:\n  line 2, in <module>\n    `x`\nValueError: EPERM is <no> name\n',
	logs: [{ stream: 'stdout', text: 'hello\n' }],
};

const ONE_ODD = {
	items: [
		{ json: { half: 1 }, pairedItem: 0 },
		{ json: { n: 3 }, pairedItem: 1, error: { ...FAILED, detail: '3 is odd' } },
	],
	errors: 1,
};

test("A failure says what happened, what to do, and shows the user's traceback", async ({
	runner,
	prepare,
}) => {
	runner.behaviour = () => Response.problem(FAILED);
	const context = prepare();

	const error = await context.failure();

	expect(error).toBeInstanceOf(NodeOperationError);
	expect(error.message).toEqual('ValueError: EPERM is <no> name');
	expect(error.context.itemIndex).toEqual(1);
	expect(error.description).toEqual(
		'Look at `f`.<br><br>' +
			'<code>Traceback:<br>\n\u00a0\u00a0line 2, in &lt;module&gt;<br>\n' +
			'\u00a0\u00a0\u00a0\u00a0&#96;x&#96;<br>\nValueError: EPERM is &lt;no&gt; name</code>' +
			'<br><br>Printed before:<br><code>hello</code>',
	);
	expect(error.messages).toEqual([FAILED.traceback]);
});

test('What a failing run printed is shown too', async ({ runner, prepare }) => {
	runner.behaviour = () => Response.problem(FAILED);
	const context = prepare({}, { mode: 'manual' });

	await context.failure();

	expect(context.console).toEqual(['hello']);
	expect(context.hints).toHaveLength(1);
});

test('With "Continue" an item that failed alone keeps its place and its fields', async ({
	runner,
	prepare,
}) => {
	runner.behaviour = () => ONE_ODD;
	const context = prepare({}, { onError: 'continueRegularOutput' });

	const output = await context.execute();

	expect(runner.runs[0]?.query.on_error).toEqual('continue');
	expect(output).toEqual([
		{ json: { half: 1 }, pairedItem: 0 },
		{ json: { n: 3, error: '3 is odd' }, pairedItem: { item: 1 } },
	]);
});

test('For the error output, n8n finds the message alone and the item it belongs to', async ({
	runner,
	prepare,
}) => {
	runner.behaviour = () => ONE_ODD;
	const context = prepare({}, { onError: 'continueErrorOutput' });

	const [, bad] = await context.execute();

	expect(bad).toEqual({ json: { error: '3 is odd' }, pairedItem: { item: 1 } });
});

test('Why the first item failed is shown with the output', async ({ runner, prepare }) => {
	runner.behaviour = () => ONE_ODD;
	const context = prepare({}, { onError: 'continueErrorOutput' });

	await context.execute();

	const [hint] = context.hints;
	expect(hint?.type).toEqual('warning');
	expect(hint?.message).toContain('1 item failed (item 1): 3 is odd');
	expect(hint?.message).toContain('in &lt;module&gt;');
});

test('With "Continue" a failure of the whole run is a failure of each item', async ({
	runner,
	prepare,
}) => {
	runner.behaviour = () =>
		Response.problem({ status: 504, code: 'time_limit', detail: 'Too long.', hint: 'Hurry.' });
	const context = prepare({}, { onError: 'continueRegularOutput' });

	const output = await context.execute();

	expect(output).toEqual([
		{ json: { n: 1, error: 'Too long.' }, pairedItem: { item: 0 } },
		{ json: { n: 2, error: 'Too long.' }, pairedItem: { item: 1 } },
	]);
	expect(context.hints.map((hint) => hint.message)).toEqual(['Too long.<br><br>Hurry.']);
});

test('With "Continue" a call for all items fails as one item that comes from all', async ({
	runner,
	prepare,
}) => {
	runner.behaviour = () => Response.problem({ ...FAILED, detail: 'No.' });

	const output = await prepare({ mode: 'all' }, { onError: 'continueRegularOutput' }).execute();

	expect(output).toEqual([{ json: { error: 'No.' }, pairedItem: [{ item: 0 }, { item: 1 }] }]);
});

test('A runner that is not there is named, with what to do', async ({ runner, prepare }) => {
	const context = prepare();
	const { url } = runner;
	await runner.stop();

	const error = await context.failure();

	expect(error.message).toEqual(`The Qflow runner at ${url} does not answer`);
	expect(error.description).toContain('qflow serve');
	expect(error.description).toContain('ECONNREFUSED');
});

test('A wrong token is told as such', async ({ runner, prepare }) => {
	const error = await prepare({}, { token: 'wrong' }).failure();

	expect(error.message).toEqual(`The Qflow runner at ${runner.url} refuses the token`);
});

test.for([413, 503])(
	'A refusal with status %i is told in its own words',
	async (status, { runner, prepare }) => {
		runner.behaviour = () =>
			Response.problem({ status, code: 'c', detail: 'No room.', hint: 'Wait a moment.' });

		const error = await prepare().failure();

		expect([error.message, error.description]).toEqual(['No room.', 'Wait a moment.']);
	},
);

test('A definition that the runner refuses is told before anything runs', async ({ prepare }) => {
	const error = await prepare({ code: '  ' }).failure();

	expect(error.message).toEqual('The node has no Python code');
});

test('An expression that fails is told, and stays a failure of the node', async ({
	runner,
	prepare,
}) => {
	const error = await prepare(withArguments({ a: '={{ $json.x.y }}' })).failure();

	expect(error).toBeInstanceOf(NodeOperationError);
	expect(error.message).toContain("reading 'y'");
	expect(runner.requests).toEqual([]);
});

test.for([
	new Response(200, '<html>a web page</html>', 'text/html'),
	new Response(502, 'Bad gateway', 'text/plain'),
	new Response(200, '', 'application/json'),
	new Response(200, '[]', 'application/json'),
])(
	'An answer that is not JSON ($status $text) is told as such',
	async (answer, { runner, prepare }) => {
		runner.behaviour = () => answer;

		const error = await prepare().failure();

		expect(error.message).toEqual(`What answers at ${runner.url} is not a Qflow runner`);
		expect(error.description).toContain(`status ${answer.status}`);
	},
);

test("Another server's JSON is not taken for a reply", async ({ runner, prepare }) => {
	runner.behaviour = () => new Response(500, '{"message": "hello"}');

	const error = await prepare().failure();

	expect(error.message).toEqual('The answer is not one of a Qflow runner');
});

test('A connection that breaks says that the code may have run', async ({ prepare }) => {
	const breaking = createServer((request) => request.socket.destroy());
	await new Promise<void>((resolve) => breaking.listen(0, '127.0.0.1', resolve));
	const url = `http://127.0.0.1:${(breaking.address() as AddressInfo).port}`;

	const error = await prepare({}, { url }).failure();

	expect(error.message).toEqual(
		`The Qflow runner at ${url} closed the connection before it answered`,
	);
	await new Promise((resolve) => breaking.close(resolve));
});
