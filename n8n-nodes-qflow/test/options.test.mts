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
	[{ memory: 1024 }, { memory_mb: 1024 }],
	[{ cpus: '0.25' }, { cpus: 0.25 }],
	[{ parallel: '4' }, { parallel: 4 }],
	[{ referenceScope: 'runner' }, { reference_scope: 'runner' }],
	[{ referenceScope: 'workflow' }, { reference_scope: 'workflow' }],
	[{ sharing: 'shared' }, { sharing: 'shared' }],
	[{ idempotent: true }, { idempotent: true }],
	[{ idempotent: false }, { idempotent: false }],
	[{ network: 'a.example:443' }, { egress: ['a.example:443'] }],
	[
		{ network: ' a.example:443,\n*.b.example:80 ; ' },
		{ egress: ['a.example:443', '*.b.example:80'] },
	],
	[
		{ network: ['a.example:443', 'b.example:1, c.example:2'] },
		{ egress: ['a.example:443', 'b.example:1', 'c.example:2'] },
	],
	[{ network: '' }, {}],
	[{ network: ' \n, ' }, {}],
	[{ network: null }, {}],
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
	[{ memory: 32 }, '"Memory" is not a number of megabytes'],
	[{ memory: 100.5 }, '"Memory" is not a number of megabytes'],
	[{ cpus: 0 }, '"CPU" is not a number of CPUs'],
	[{ cpus: 'all' }, '"CPU" is not a number of CPUs'],
	[{ parallel: 0 }, '"Parallel Items" is not a number of items'],
	[{ parallel: 65 }, '"Parallel Items" is not a number of items'],
	[{ parallel: 1.5 }, '"Parallel Items" is not a number of items'],
	[{ parallel: '' }, '"Parallel Items" is not a number of items'],
	[{ network: 'a.example:1 '.repeat(65) }, '"Network Access" lists 65 hosts'],
])(
	'The options %j are refused before anything runs',
	async ([options, message], { runner, prepare }) => {
		const error = await prepare({ options }).failure();

		expect(error.message).toContain(message);
		expect(error.description).toMatch(/^Write /);
		expect(runner.requests).toEqual([]);
	},
);
