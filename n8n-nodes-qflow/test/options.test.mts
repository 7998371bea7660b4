import type { IDataObject } from 'n8n-workflow';
import { expect } from 'vitest';

import { test } from './fixtures.mjs';

const DEFAULTS = {
	python: '3.12',
	mode: 'auto',
	output: 'auto',
	validation: 'strict',
	timeout_s: 30,
};

test.for<[IDataObject, Record<string, unknown>]>([
	[{}, {}],
	[{ cache: 3600 }, { cache_ttl_s: 3600 }],
	[{ cache: 0 }, { cache_ttl_s: 0 }],
	[{ cache: '0.5' }, { cache_ttl_s: 0.5 }],
	[{ parallel: 8 }, { parallel: 8 }],
	[{ parallel: '4' }, { parallel: 4 }],
	[{ referenceScope: 'runner' }, { reference_scope: 'runner' }],
	[{ referenceScope: 'workflow' }, { reference_scope: 'workflow' }],
	[{ sharing: 'shared' }, { sharing: 'shared' }],
	[{ idempotent: true }, { idempotent: true }],
	[{ idempotent: false }, { idempotent: false }],
])('The definition carries the options %j', async ([options, expected], { runner, prepare }) => {
	const context = prepare({ options });

	await context.execute();

	const { code, ...rest } = runner.runs[0]?.definition ?? {};
	expect(code).toEqual(context.setup.parameters.code);
	expect(rest).toEqual({ ...DEFAULTS, ...expected });
});

test('A saved definition is run with the options that the node sets, and no others', async ({
	runner,
	prepare,
}) => {
	const savedName = { __rl: true, mode: 'list', value: 'with-options' };
	const options = { cache: 0, parallel: 2, referenceScope: 'workflow', idempotent: false };

	await prepare({ source: 'saved', savedName, options }).execute();
	await prepare({ source: 'saved', savedName }).execute();

	const saved = { name: 'with-options' };
	expect(runner.runs.map((run) => run.definition)).toEqual([
		{ saved, cache_ttl_s: 0, parallel: 2, reference_scope: 'workflow', idempotent: false },
		{ saved },
	]);
});

test.for<[IDataObject, string]>([
	[{ timeout: 'soon' }, 'The time limit is not a number of seconds'],
	[{ timeout: 0 }, 'The time limit is not a number of seconds'],
	[{ cache: -1 }, '"Cache Results For" is not a number of seconds'],
	[{ cache: 2_592_001 }, '"Cache Results For" is not a number of seconds'],
	[{ cache: 'a day' }, '"Cache Results For" is not a number of seconds'],
	[{ parallel: 0 }, '"Parallel Items" is not a number of items'],
	[{ parallel: 65 }, '"Parallel Items" is not a number of items'],
	[{ parallel: 1.5 }, '"Parallel Items" is not a number of items'],
	[{ parallel: '' }, '"Parallel Items" is not a number of items'],
])(
	'The options %j are refused before anything runs',
	async ([options, message], { runner, prepare }) => {
		const error = await prepare({ options }).failure();

		expect(error.message).toContain(message);
		expect(error.description).toMatch(/^Write /);
		expect(runner.requests).toEqual([]);
	},
);
