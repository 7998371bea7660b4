import type { FieldType, IDataObject } from 'n8n-workflow';
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

/** Arguments as the editor stores them: values by parameter, and the kinds of their fields. */
export function withArguments(
	value: IDataObject,
	kinds: Record<string, FieldType> = {},
): IDataObject {
	const schema = Object.entries(kinds).map(([id, type]) => ({ id, displayName: id, type }));
	return { arguments: { mappingMode: 'defineBelow', value, schema } } as unknown as IDataObject;
}
