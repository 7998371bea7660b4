import { createHash } from 'node:crypto';

import { expect, vi } from 'vitest';

import type { DefinitionReply } from '../nodes/QflowPython/api.js';
import { newCode, test } from './fixtures.mjs';
import { echo, Response } from './runner.mjs';

const RUN = 'POST /v1/definitions/{id}/runs';
const STORE = 'PUT /v1/definitions';

test('The definition is sent before its first run, and never again', async ({
	runner,
	prepare,
}) => {
	const code = newCode();

	await prepare({ code }).execute();
	await prepare({ code }).execute();

	expect(runner.requests).toEqual([STORE, RUN, RUN]);
});

test('A runner that has forgotten the definition receives it again', async ({
	runner,
	prepare,
}) => {
	const code = newCode();
	await prepare({ code }).execute();
	runner.forget();

	const output = await prepare({ code }).execute();

	expect(runner.requests).toEqual([STORE, RUN, RUN, STORE, RUN]);
	expect(output).toHaveLength(2);
});

test('A run that may have started is not sent twice', async ({ runner, prepare }) => {
	runner.behaviour = () => Response.problem({ status: 502, code: 'session_lost', detail: 'Lost.' });

	await prepare().failure();

	expect(runner.requests).toEqual([STORE, RUN]);
});

test('The definition carries what the node says, and defaults for the rest', async ({
	runner,
	prepare,
}) => {
	const code = newCode();

	await prepare({ code }).execute();
	await prepare({
		code,
		function: 'f(item: dict) -> dict',
		requirements: 'pandas>=2\n\n  # for charts\n matplotlib \n',
		mode: 'script',
		output: 'items',
		options: { python: '3.9', timeout: 5, validation: 'coerce' },
	}).execute();

	const defaults = { python: '3.12', mode: 'auto', output: 'auto', validation: 'strict' };
	expect(runner.runs.map((run) => run.definition)).toEqual([
		{ code, ...defaults, timeout_s: 30 },
		{
			code,
			function: 'f',
			python: '3.9',
			requirements: ['pandas>=2', 'matplotlib'],
			mode: 'script',
			output: 'items',
			validation: 'coerce',
			timeout_s: 5,
		},
	]);
});

test('The function is named by the name alone, however it was chosen', async ({
	runner,
	prepare,
}) => {
	for (const chosen of [' f ', 'f(item: dict) -> dict', '']) {
		await prepare({ function: chosen }).execute();
	}

	expect(runner.runs.map((run) => run.definition.function)).toEqual(['f', 'f', undefined]);
});

test('Workflow, execution and node are named to the runner', async ({ runner, prepare }) => {
	await prepare({}, { nodeName: 'Ünïted & co?' }).execute();

	expect(runner.runs[0]?.query).toEqual({
		workflow: 'workflow-1',
		execution: 'execution-1',
		node: 'Ünïted & co?',
		on_error: 'stop',
	});
});

test('An execution without an id still has a session of its own', async ({ runner, prepare }) => {
	const code = newCode();

	await prepare({ code }, { executionId: undefined }).execute();
	await prepare({ code }, { executionId: undefined }).execute();

	const [first, second] = runner.runs.map((run) => run.query.execution);
	expect(first).not.toEqual(second);
	expect(first).toHaveLength(36);
});

test('Only what Python needs of an item is sent', async ({ runner, prepare }) => {
	const binary = {
		photo: { data: 'aGVsbG8=', mimeType: 'image/png', fileName: 'a.png', id: 'x:1' },
	};
	const items = [{ json: { n: 'é' }, pairedItem: { item: 0 }, binary }, { json: { n: 2 } }];

	await prepare({}, { items }).execute();

	expect(runner.runs[0]?.text).toEqual('{"items":[{"json":{"n":"é"}},{"json":{"n":2}}]}');
});

test('A reference goes through untouched, both ways', async ({ runner, prepare }) => {
	const reference = { $qflow: { ref: 'r-1', type: 'pandas.DataFrame', shape: [3, 2] } };

	const output = await prepare({}, { items: [reference] }).execute();

	expect(runner.runs[0]?.body.items).toEqual([{ json: reference }]);
	expect(output).toEqual([{ json: reference, pairedItem: 0 }]);
});

test('A run may take its time limit, and the installing of its packages where it has any', async ({
	runner,
	prepare,
}) => {
	const limitOf = async (reply: Partial<DefinitionReply>) => {
		runner.reply = reply;
		const context = prepare({ options: { timeout: 5 } });
		await context.execute();
		return (context.limits.at(-1)?.[1] ?? 0) / 1000;
	};

	expect(await limitOf({ timeout_s: 5, requirements: [] })).toEqual(65);
	expect(await limitOf({ timeout_s: 5, requirements: ['pandas'] })).toEqual(1265);
	expect(await limitOf({})).toEqual(90);
});

test.for<[Record<string, unknown>, string[]]>([
	[{ total_ms: 900, code_ms: 880 }, []],
	[{}, []],
	[{ total_ms: 'long' }, []],
	[
		{ total_ms: 1240, queue_ms: 0.2, sandbox_ms: 301, load_ms: 42, code_ms: 810, later_ms: '<b>' },
		['1.2 s: sandbox 301 ms, load 42 ms, code 810 ms, other 87 ms'],
	],
])(
	'What a long run spent its time on is a hint: %j',
	async ([timing, hints], { runner, prepare }) => {
		runner.behaviour = ({ body }) => ({ items: echo(body), timing });
		const run = prepare();

		await run.execute();

		expect(run.hints.map((hint) => hint.message)).toEqual(hints);
	},
);

test('A long run says how much memory it took at most', async ({ runner, prepare }) => {
	const hint = async (resources: Record<string, unknown>) => {
		runner.behaviour = ({ body }) => ({ items: echo(body), timing: { total_ms: 2000 }, resources });
		const run = prepare();
		await run.execute();
		return run.hints.map(({ message }) => message);
	};

	expect(await hint({ peak_mb: 84.2, cpu_ms: 1 })).toEqual(['2.0 s · 84 MB peak']);
	expect(await hint({ peak_mb: '<b>' })).toEqual(['2.0 s']);
	expect(await hint({})).toEqual(['2.0 s']);
});

test('Whoever watches a run sees what it cost, however short it was', async ({
	runner,
	prepare,
}) => {
	const timing = { total_ms: 12.4, queue_ms: 0.3, sandbox_ms: 1.6, code_ms: 8.2 };
	runner.behaviour = ({ body }) => ({ items: echo(body), timing, resources: { peak_mb: 31.2 } });
	const watched = prepare({}, { mode: 'manual' });
	const unwatched = prepare();

	await watched.execute();
	await unwatched.execute();

	expect(watched.hints.map(({ message }) => message)).toEqual([
		'12 ms: sandbox 2 ms, code 8 ms, other 2 ms · 31 MB peak',
	]);
	expect(unwatched.hints).toEqual([]);
});

test.for<[unknown, string]>([
	[
		'https://q.example.org/console/executions/7?workflow=w&run=01',
		' · <a href="https://q.example.org/console/executions/7?workflow=w&amp;run=01" target="_blank" rel="noopener">Open the run</a>',
	],
	['javascript:alert(1)', ''],
	['https://q.example.org/"onmouseover="alert(1)', ''],
	[7, ''],
	[undefined, ''],
])('A run links to its page in the console: %s', async ([link, shown], { runner, prepare }) => {
	runner.behaviour = ({ body }) => ({ items: echo(body), timing: { total_ms: 2000 }, link });
	const run = prepare();

	await run.execute();

	expect(run.hints.map(({ message }) => message)).toEqual([`2.0 s${shown}`]);
});

test('A failed run links to its page too', async ({ runner, prepare }) => {
	const link = 'https://q.example.org/console/executions/7?run=01';
	runner.behaviour = () => Response.problem({ status: 422, detail: 'It failed.', link });

	const { description } = await prepare().failure();

	expect(description).toContain(`<a href="${link}" target="_blank"`);
});

test('All runs of an execution are one trace, and each node has its own place in it', async ({
	runner,
	prepare,
}) => {
	for (const setup of [{}, {}, { executionId: 'execution-2' }]) await prepare({}, setup).execute();

	const traces = runner.runs.map(({ traceparent }) => traceparent);
	const digest = (text: string) => createHash('sha256').update(text).digest('hex');
	const first = `00-${digest('instance-1:execution-1').slice(0, 32)}-${digest('instance-1:execution-1:a').slice(0, 16)}-01`;
	expect(traces.slice(0, 2)).toEqual([first, first]);
	expect(traces[2]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
	expect(traces[2]?.split('-')[1]).not.toEqual(traces[0]?.split('-')[1]);
});

test('Output items keep the origin that the runner gave them', async ({ runner, prepare }) => {
	runner.behaviour = () => ({
		items: [
			{ json: { a: 1 }, pairedItem: 1 },
			{ json: { a: 2 }, pairedItem: 1 },
			{ json: { a: 3 } },
		],
	});

	const output = await prepare().execute();

	expect(output).toEqual([
		{ json: { a: 1 }, pairedItem: 1 },
		{ json: { a: 2 }, pairedItem: 1 },
		{ json: { a: 3 } },
	]);
});

test('Printed text and hints of the runner become hints of the node', async ({
	runner,
	prepare,
}) => {
	runner.behaviour = () => ({
		logs: [
			{ stream: 'stdout', text: '<b>one</b>\n  two\n' },
			{ stream: 'stderr', text: 'three' },
		],
		hints: ['Use `list[int]`.'],
	});
	const context = prepare({}, { mode: 'manual' });

	await context.execute();

	expect(context.hints.map((hint) => hint.message)).toEqual([
		'Use `list[int]`.',
		'3 lines printed<br>\n<code>&lt;b&gt;one&lt;/b&gt;<br>\n\u00a0\u00a0two<br>\nthree</code>',
	]);
	expect(context.console).toEqual(['<b>one</b>', '  two', 'three']);
});

test('What a production run prints does not go to a browser', async ({ runner, prepare }) => {
	runner.behaviour = () => ({ logs: [{ stream: 'stdout', text: 'one\n' }] });
	const context = prepare();

	await context.execute();

	expect(context.hints).toHaveLength(1);
	expect(context.console).toEqual([]);
});

test('A flood of printed text is cut in the editor', async ({ runner, prepare }) => {
	runner.behaviour = () => ({ logs: [{ stream: 'stdout', text: 'line\n'.repeat(10_000) }] });
	const context = prepare({}, { mode: 'manual' });

	await context.execute();

	expect(context.hints[0]?.message).toMatch(/^10000 lines printed/);
	expect(context.hints[0]?.message.length).toBeLessThan(10_000);
	expect(context.console).toHaveLength(501);
	expect(context.console.at(-1)).toEqual('… 9500 more lines');
});

test('Cancelling the execution ends the request at once', async ({ runner, prepare }) => {
	runner.silent = true;
	const cancel = new AbortController();
	const failing = prepare(
		{},
		{ signal: cancel.signal, onError: 'continueRegularOutput' },
	).failure();
	await vi.waitFor(() => expect(runner.requests).toContain(RUN));

	cancel.abort();

	expect((await failing).message).toEqual('The execution was canceled');
	await runner.closedEarly;
});

const BUSY = { status: 503, code: 'busy', category: 'busy', detail: 'All sandboxes are in use.' };

test('A runner without room is asked again when it says so, because nothing ran', async ({
	runner,
	prepare,
}) => {
	let refusals = 2;
	runner.behaviour = ({ body }) =>
		refusals-- > 0 ? Response.problem(BUSY, { 'retry-after': '0' }) : { items: echo(body) };

	const output = await prepare().execute();

	expect(runner.requests.filter((request) => request === RUN)).toHaveLength(3);
	expect(output).toHaveLength(2);
});

test('A refusal without a time to come back, or with one too far away, is the answer', async ({
	runner,
	prepare,
}) => {
	for (const headers of [{}, { 'retry-after': '3600' }]) {
		runner.behaviour = () => Response.problem(BUSY, headers);

		expect((await prepare().failure()).message).toEqual(BUSY.detail);
	}
	expect(runner.requests.filter((request) => request === RUN)).toHaveLength(2);
});

test('Waiting for room ends with the execution', async ({ runner, prepare }) => {
	runner.behaviour = () => Response.problem(BUSY, { 'retry-after': '20' });
	const cancel = new AbortController();
	const failing = prepare({}, { signal: cancel.signal }).failure();
	await vi.waitFor(() => expect(runner.runs).toHaveLength(1));

	cancel.abort();

	expect((await failing).message).toEqual('The execution was canceled');
	expect(runner.runs).toHaveLength(1);
});
