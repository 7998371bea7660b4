import { expect, vi } from 'vitest';

import type { SavedDefinition, SavedSummary } from '../nodes/QflowPython/api.js';
import { newCode, test, withArguments } from './fixtures.mjs';
import { NOTHING_FOUND, Response } from './runner.mjs';

const RUN = 'POST /v1/definitions/{id}/runs';
const STORE = 'PUT /v1/definitions';
let names = 0;

/** Parameters of a node with a saved definition that no other test has. */
function using(more: object = {}) {
	names += 1;
	const savedName = { __rl: true, mode: 'list', value: `pricing.${names}` };
	return { source: 'saved', savedName, code: 'left over', ...more };
}

const PRICE = {
	functions: [
		{
			name: 'price',
			params: [
				{ name: 'item', type: 'str', required: true, default: null, inferred: false, doc: '' },
			],
			doc: '',
			signature: 'price(item: str) -> float',
		},
		{ name: 'other', params: [], doc: '', signature: 'other()' },
	],
};

type Kept = SavedDefinition & SavedSummary;

function saved(more: Partial<Kept> = {}): Kept {
	const content = { code: newCode(), requirements: [] };
	const analysis = { ...NOTHING_FOUND, ...PRICE };
	return { name: '', version: 1, function: 'price', signature: '', content, analysis, ...more };
}

test('A saved definition is named, and what the node leaves open is as it was saved', async ({
	runner,
	prepare,
}) => {
	const open = using();
	const closed = using({
		savedVersion: ' 3 ',
		function: 'price(a: int)',
		mode: 'all',
		output: 'reference',
		requirements: 'rich',
		options: { python: '3.9', timeout: 5, validation: 'off' },
	});

	await prepare(open).execute();
	await prepare(closed).execute();

	expect(runner.runs.map((run) => run.definition)).toEqual([
		{ saved: { name: open.savedName.value } },
		{
			saved: { name: closed.savedName.value, version: 3 },
			function: 'price',
			requirements: ['rich'],
			mode: 'all',
			output: 'reference',
			python: '3.9',
			validation: 'off',
			timeout_s: 5,
		},
	]);
});

test('The name may be an expression', async ({ runner, prepare }) => {
	const savedName = { __rl: true, mode: 'name', value: '={{ "by-" + $json.n }}' };

	await prepare({ ...using(), savedName }).execute();

	expect(runner.runs[0]?.definition.saved).toEqual({ name: 'by-1' });
});

test('A new version is taken up within seconds, and one that is named is asked for once', async ({
	runner,
	prepare,
}) => {
	const newest = using();
	const pinned = using({ savedVersion: '2' });
	vi.useFakeTimers({ toFake: ['Date'] });
	try {
		for (const seconds of [0, 9, 2]) {
			vi.setSystemTime(Date.now() + seconds * 1000);
			await prepare(newest).execute();
			await prepare(pinned).execute();
		}
	} finally {
		vi.useRealTimers();
	}

	expect(runner.requests).toEqual([STORE, RUN, STORE, RUN, RUN, RUN, STORE, RUN, RUN]);
});

test.for<[string, object, string]>([
	['no name', { savedName: { __rl: true, mode: 'list', value: '' } }, 'No saved definition'],
	['no number', { savedVersion: 'two' }, '"two" is not the version'],
	['zero', { savedVersion: '0' }, '"0" is not the version'],
])('With %s nothing is sent', async ([, more, message], { runner, prepare }) => {
	const error = await prepare(using(more)).failure();

	expect(error.message).toContain(message);
	expect(runner.requests).toEqual([]);
});

test('A definition that is not there is told in the words of the runner', async ({
	runner,
	prepare,
}) => {
	runner.storing = Response.problem({ status: 404, code: 'saved_unknown', detail: 'No "x" here.' });

	expect((await prepare(using()).failure()).message).toEqual('No "x" here.');
});

test('Definitions are listed by name, page by page', async ({ runner, prepare }) => {
	runner.saved.push(
		saved({ name: 'a', signature: 'f(x: int) -> str' }),
		saved({ name: 'ab', version: 4 }),
		saved({ name: 'abc' }),
		saved({ name: 'z' }),
	);

	const first = await prepare().saved('a');
	const second = await prepare().saved('a', first.paginationToken as string);

	expect(first.results).toEqual([
		{ name: 'a', value: 'a', description: 'f(x: int) -> str, version 1' },
		{ name: 'ab', value: 'ab', description: 'script, version 4' },
	]);
	expect(second).toEqual({
		results: [{ name: 'abc', value: 'abc', description: 'script, version 1' }],
	});
});

test('Functions, arguments and packages are those of the saved code', async ({
	runner,
	prepare,
}) => {
	const parameters = using({ savedVersion: '1' });
	const name = parameters.savedName.value;
	const content = { code: newCode(), requirements: ['rich==1'] };
	const newest = { ...NOTHING_FOUND };
	runner.saved.push(saved({ name, content }), saved({ name, version: 2, analysis: newest }));

	const [automatic] = await prepare(parameters).functions();
	const { fields } = await prepare(parameters).fields();
	const packages = await prepare(parameters).packages();

	expect(runner.analysed).toEqual([]);
	expect(automatic?.name).toEqual('Automatic: price(item: str) -> float');
	expect(fields.map(({ id, displayName, display }) => [id, displayName, display])).toEqual([
		['item', 'item: str, required', true],
		['$signature', 'price(item: str) -> float', false],
	]);
	expect(packages[0]?.name).toEqual('rich==1 (saved with the definition)');
});

test('What the canvas knows of a saved definition is renewed also with arguments', async ({
	runner,
	prepare,
}) => {
	const parameters = using(withArguments({ item: 'lamp' }));
	runner.saved.push(saved({ name: parameters.savedName.value }));

	const { fields } = await prepare(parameters).fields();

	expect(fields.at(-1)?.displayName).toEqual('price(item: str) -> float');
});

test.for<[string, string]>([
	['', 'Choose a definition above.'],
	['={{ $json.name }}', 'An expression says which definition it is'],
])(
	'Without a name that is known (%j) the panel says so',
	async ([value, sentence], { runner, prepare }) => {
		const parameters = using({ savedName: { __rl: true, mode: 'name', value } });

		const [only] = await prepare(parameters).functions();
		const { fields, emptyFieldsNotice } = await prepare(parameters).fields();

		expect(only?.description).toContain(sentence);
		expect([fields, emptyFieldsNotice]).toEqual([[], expect.stringContaining(sentence)]);
		expect((await prepare(parameters).packages())[0]?.name).toContain(sentence);
		expect(runner.requests).toEqual([]);
	},
);

test('A name that is not there is a sentence in the panel', async ({ prepare }) => {
	await expect(prepare(using()).functions()).rejects.toThrow(/^There is no pricing/);
});

test('A link from or to a saved definition is judged by its name, and anew after a while', async ({
	runner,
	prepare,
}) => {
	const parameters = using();
	const before = using();
	const parents = [
		{ name: 'Before', type: 'n8n-nodes-qflow.qflowPython', typeVersion: 1, parameters: before },
	] as never;
	vi.useFakeTimers({ toFake: ['Date'] });
	try {
		for (const seconds of [0, 50, 20]) {
			vi.setSystemTime(Date.now() + seconds * 1000);
			await prepare(parameters, { parents }).execute();
		}
	} finally {
		vi.useRealTimers();
	}

	expect(runner.checked).toHaveLength(2);
	expect(runner.checked[0]?.nodes.map((node) => node.parameters)).toEqual([
		{ source: 'saved', savedName: before.savedName },
		{ source: 'saved', savedName: parameters.savedName },
	]);
});
