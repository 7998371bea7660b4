import type { IDataObject } from 'n8n-workflow';
import { test as base } from 'vitest';

import type { Setup } from './context.mjs';
import { FakeContext } from './context.mjs';
import { StubRunner, TOKEN } from './runner.mjs';

let definitions = 0;

/** Code that no other test has, so that no test finds a definition that another one stored. */
export function newCode(): string {
	definitions += 1;
	return `def f(item):\n    return item  # ${definitions}\n`;
}

type Prepare = (parameters?: IDataObject, setup?: Partial<Setup>) => FakeContext;

export const test = base.extend<{ runner: StubRunner; prepare: Prepare }>({
	// eslint-disable-next-line no-empty-pattern
	runner: async ({}, use) => {
		const runner = await new StubRunner().start();
		await use(runner);
		await runner.stop();
	},
	prepare: async ({ runner }, use) => {
		await use(
			(parameters = {}, setup = {}) =>
				new FakeContext({
					url: runner.url,
					token: TOKEN,
					parameters: { code: newCode(), ...parameters },
					items: [{ n: 1 }, { n: 2 }],
					...setup,
				}),
		);
	},
});

export function withArguments(...given: Array<[name: string, value: unknown]>): IDataObject {
	return {
		arguments: { argument: given.map(([name, value]) => ({ name, value })) },
	} as IDataObject;
}
