import { expect } from 'vitest';

import type { Setup } from './context.mjs';
import { test } from './fixtures.mjs';

const OTHER = 'n8n-nodes-base.set';

test.for<[string, NonNullable<Setup['children']>, string | undefined]>([
	['nothing follows', [], undefined],
	['a Qflow node follows', [{ name: 'A' }], '1'],
	['two follow', [{ name: 'A' }, { name: 'B' }], '1'],
	['another node follows', [{ name: 'A', type: OTHER }], undefined],
	['one of each follows', [{ name: 'A' }, { name: 'B', type: OTHER }], undefined],
	[
		'another follows the Qflow node only',
		[{ name: 'B', type: OTHER, before: ['A'] }, { name: 'A' }],
		'1',
	],
	[
		'another follows both',
		[{ name: 'B', type: OTHER, before: ['Python', 'A'] }, { name: 'A' }],
		undefined,
	],
	[
		'a disabled one stands between',
		[
			{ name: 'B', before: ['A'] },
			{ name: 'A', type: OTHER, disabled: true },
		],
		'1',
	],
	[
		'a disabled Qflow node stands before another',
		[
			{ name: 'B', type: OTHER, before: ['A'] },
			{ name: 'A', disabled: true },
		],
		undefined,
	],
	['only a disabled one follows', [{ name: 'A', disabled: true }], undefined],
	[
		'disabled ones go in a circle',
		[
			{ name: 'A', disabled: true, before: ['Python', 'B'] },
			{ name: 'B', disabled: true, before: ['A'] },
		],
		undefined,
	],
])('References may stay where %s: %j', async ([, children, keep], { runner, prepare }) => {
	await prepare({}, { children }).execute();

	expect(runner.runs[0]?.query.keep).toEqual(keep);
});

test.for(['items', 'reference'])(
	'Where the node itself says what leaves it (%s), nothing depends on what follows',
	async (output, { runner, prepare }) => {
		await prepare({ output }, { children: [{ name: 'A' }] }).execute();

		expect(runner.runs[0]?.query.keep).toEqual(undefined);
	},
);
