import type { NodeTypeAndVersion } from 'n8n-workflow';
import { expect } from 'vitest';

import type { Link } from '../nodes/QflowPython/api.js';
import { newCode, test, withArguments } from './fixtures.mjs';
import { Response } from './runner.mjs';

const CHECK = 'POST /v1/workflows/check';
const REFUSED: Partial<Link> = {
	verdict: 'incompatible',
	reason: 'dict has no place where an int is wanted.',
	suggestion: 'Return an int.',
};

function parent(more: Partial<NodeTypeAndVersion> = {}): NodeTypeAndVersion {
	return {
		name: 'Before',
		type: 'n8n-nodes-qflow.qflowPython',
		typeVersion: 1,
		disabled: false,
		parameters: { code: newCode(), mode: 'auto', options: { timeout: 9 } },
		...more,
	};
}

test('A link that cannot work is refused before any code runs', async ({ runner, prepare }) => {
	runner.links = [{ verdict: 'unchecked' }, REFUSED];

	const error = await prepare({}, { parents: [parent()] }).failure();

	expect(error.message).toEqual(
		'The link from "Before" cannot work: dict has no place where an int is wanted.',
	);
	expect(error.description).toEqual('Return an int.');
	expect(runner.requests).toEqual([CHECK]);
});

test('What is judged is the two nodes and the link between them', async ({ runner, prepare }) => {
	const before = parent();
	const given = withArguments({ a: '={{ $json.total }}' });
	const code = newCode();

	await prepare({ code, ...given, options: { timeout: 3 } }, { parents: [before] }).execute();

	expect(runner.checked).toMatchObject([
		{
			nodes: [
				{ name: 'Before', type: before.type },
				{ name: 'Python', type: before.type },
			],
			connections: { Before: { main: [[{ node: 'Python', type: 'main', index: 0 }]] } },
		},
	]);
	expect(runner.checked[0]?.nodes.map((node) => node.parameters)).toEqual([
		{ code: before.parameters?.code, mode: 'auto' },
		{ code, ...given },
	]);
});

test('The same two nodes are judged once', async ({ runner, prepare }) => {
	const code = newCode();
	const parents = [parent()];

	await prepare({ code }, { parents }).execute();
	await prepare({ code }, { parents }).execute();
	expect(runner.checked).toHaveLength(1);

	await prepare({ code: newCode() }, { parents }).execute();
	expect(runner.checked).toHaveLength(2);
});

test('A refusal is remembered too', async ({ runner, prepare }) => {
	runner.links = [REFUSED];
	const code = newCode();
	const parents = [parent()];

	await prepare({ code }, { parents }).failure();
	await prepare({ code }, { parents }).failure();

	expect(runner.requests).toEqual([CHECK]);
});

test.for([
	['no node comes before', {}],
	['another kind of node comes before', { parents: [parent({ type: 'n8n-nodes-base.set' })] }],
	['the Qflow node before is disabled', { parents: [parent({ disabled: true })] }],
	[
		'the items come from another node',
		{ parents: [parent()], source: { previousNode: 'Somewhere else' } },
	],
	[
		'the items left by the error output',
		{ parents: [parent()], source: { previousNode: 'Before', previousNodeOutput: 1 } },
	],
] as const)('Nothing is asked when %s', async ([, setup], { runner, prepare }) => {
	await prepare({}, setup as object).execute();

	expect(runner.checked).toEqual([]);
});

test('Without validation the link is not judged', async ({ runner, prepare }) => {
	runner.links = [REFUSED];

	await prepare({ options: { validation: 'off' } }, { parents: [parent()] }).execute();

	expect(runner.checked).toEqual([]);
});

test.for([
	Response.problem({ status: 404, code: 'not_found', detail: 'No such page.' }),
	Response.problem({ status: 500, detail: 'Broken.' }),
	new Response(200, '{"message": "hello"}'),
	new Response(502, 'Bad gateway', 'text/plain'),
])(
	'A check that does not work ($status) lets the run go on',
	async (answer, { runner, prepare }) => {
		runner.links = answer;
		const code = newCode();
		const parents = [parent()];

		const output = await prepare({ code }, { parents }).execute();
		await prepare({ code }, { parents }).execute();

		expect(output).toHaveLength(2);
		expect(runner.checked).toHaveLength(1);
	},
);

test('With "Continue" a refused link fails each item', async ({ runner, prepare }) => {
	runner.links = [REFUSED];

	const output = await prepare(
		{},
		{ parents: [parent()], onError: 'continueRegularOutput' },
	).execute();

	expect(output.map((item) => item.json.error)).toEqual(
		Array(2).fill(expect.stringContaining('int')),
	);
});
