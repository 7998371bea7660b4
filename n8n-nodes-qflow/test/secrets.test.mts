import type {
	ICredentialDataDecryptedObject,
	ICredentialsDecrypted,
	ICredentialTestFunctions,
} from 'n8n-workflow';
import { expect } from 'vitest';

import { QflowSecretsApi } from '../credentials/QflowSecretsApi.credentials.js';
import { QflowPython } from '../nodes/QflowPython/QflowPython.node.js';
import { test, withArguments } from './fixtures.mjs';
import { Response } from './runner.mjs';

const HIDDEN = 'hunter2-"é"';
const SECRETS = { api_key: HIDDEN, empty: '' };

test('Secrets are sent with the run, and nowhere else', async ({ runner, prepare }) => {
	const context = prepare(withArguments({ n: 5 }), { secrets: JSON.stringify(SECRETS) });

	const output = await context.execute();

	const [run] = runner.runs;
	expect(run?.body.secrets).toEqual(SECRETS);
	expect(run?.body.args).toEqual([{ n: 5 }]);
	expect(run?.body.items).toEqual([{ json: { n: 1 } }, { json: { n: 2 } }]);
	const elsewhere = [run?.definition, run?.query, output, context.hints, context.console];
	expect(JSON.stringify(elsewhere)).not.toContain('hunter2');
});

test.for<[string, unknown]>([
	['text', '{"a": "1"}'],
	['what an expression made', { a: '1' }],
])('The credential may hold %s', async ([, secrets], { runner, prepare }) => {
	await prepare({}, { secrets }).execute();

	expect(runner.runs[0]?.body.secrets).toEqual({ a: '1' });
});

test('A name is a name, whatever JavaScript makes of it', async ({ runner, prepare }) => {
	await prepare({}, { secrets: '{"__proto__": "x", "toString": "y"}' }).execute();

	expect(runner.runs[0]?.text).toContain('"secrets":{"__proto__":"x","toString":"y"}}');
});

test('Where secrets are not asked for, or not chosen, nothing is sent', async ({
	runner,
	prepare,
}) => {
	await prepare().execute();
	await prepare({ options: { useSecrets: true } }).execute();
	await prepare({ options: { useSecrets: false } }, { secrets: '{"left": "over"}' }).execute();

	const plain = '{"items":[{"json":{"n":1}},{"json":{"n":2}}]}';
	expect(runner.runs.map((run) => run.text)).toEqual([plain, plain, plain]);
});

test.for<[string, unknown]>([
	['no JSON', `{"api_key": ${HIDDEN}}`],
	['no JSON after an expression', `={"api_key": "${HIDDEN}"}`],
	['a list', `["hunter2"]`],
	['a text', `"hunter2"`],
	['null', 'null'],
	['a number', 42],
])('A credential with %s is told on the node', async ([, secrets], { runner, prepare }) => {
	const error = await prepare({}, { secrets }).failure();

	expect(error.message).toEqual('The secrets in the credential are not a JSON object');
	expect(error.description).toContain('{ "api_key": "…" }');
	expect(everythingOf(error)).not.toContain('hunter2');
	expect(runner.requests).toEqual([]);
});

test.for<[string, string]>([
	['a number', '{"ok": "x", "pin": 1234567}'],
	['an object', '{"pin": {"a": "1234567"}}'],
	['an object without a value', '{"pin": {"hosts": "a.example:1234567"}}'],
	['a list', '{"pin": ["1234567"]}'],
	['nothing', '{"pin": null}'],
])('A secret that is %s is named, and not shown', async ([, secrets], { runner, prepare }) => {
	const error = await prepare({}, { secrets }).failure();

	expect(error.message).toEqual('The secret "pin" in the credential is not a text');
	expect(everythingOf(error)).not.toContain('1234567');
	expect(runner.requests).toEqual([]);
});

test('A secret may be bound to hosts, which the runner is told beside it', async ({
	runner,
	prepare,
}) => {
	const bound = { value: HIDDEN, hosts: 'api.example.org:443,\n*.example.com:443' };
	const secrets = { plain: 'x', bound, other: { value: 'y', hosts: 'db.internal:5432' } };

	await prepare({}, { secrets: JSON.stringify(secrets) }).execute();

	const [run] = runner.runs;
	expect(run?.body.secrets).toEqual({ plain: 'x', bound: HIDDEN, other: 'y' });
	expect(run?.query.bound).toEqual('api.example.org:443,*.example.com:443;db.internal:5432');
});

test.for<[string, unknown]>([
	['no hosts', { value: HIDDEN }],
	['an empty text', { value: HIDDEN, hosts: ' , ' }],
	['a list', { value: HIDDEN, hosts: ['a.example:443'] }],
])('A secret that is bound to %s is refused', async ([, key], { runner, prepare }) => {
	const error = await prepare({}, { secrets: JSON.stringify({ key }) }).failure();

	expect(error.message).toContain('"key" in the credential names no hosts');
	expect(everythingOf(error)).not.toContain('hunter2');
	expect(runner.requests).toEqual([]);
});

test('Secrets stand in no error of a run', async ({ runner, prepare }) => {
	const secrets = JSON.stringify(SECRETS);
	runner.behaviour = () => Response.problem({ status: 422, detail: 'ValueError: no' });
	const failed = await prepare({}, { secrets }).failure();
	const [alone, going] = [
		prepare({}, { secrets }),
		prepare({}, { secrets, onError: 'continueRegularOutput' }),
	];
	await runner.stop();

	const unreachable = await alone.failure();
	const output = await going.execute();

	expect(unreachable.message).toContain('does not answer');
	for (const each of [everythingOf(failed), everythingOf(unreachable)]) {
		expect(each).not.toContain('hunter2');
	}
	expect(JSON.stringify([output, going.hints])).not.toContain('hunter2');
});

test.for<[unknown, string, string]>([
	['{"a": "1"}', 'OK', '1 secret'],
	['{"a": "1", "b": "2"}', 'OK', '2 secrets'],
	['', 'OK', '0 secrets'],
	['{"a": {"value": "1", "hosts": "a.example:1"}}', 'OK', '1 secret, 1 bound to hosts'],
	['{"a": {"value": "hunter2"}}', 'Error', 'names no hosts'],
	['{"a": hunter2}', 'Error', 'are not a JSON object'],
	['{"a": 1}', 'Error', '"a" in the credential is not a text'],
])("The credential's test of %j says %s", async ([values, status, message]) => {
	const credential = { id: '1', name: 'a', type: 'qflowSecretsApi', data: { values } };
	const { testSecrets } = new QflowPython().methods.credentialTest;

	const told = await testSecrets.call(
		{} as ICredentialTestFunctions,
		credential as ICredentialsDecrypted<ICredentialDataDecryptedObject>,
	);

	expect(told.status).toEqual(status);
	expect(told.message).toContain(message);
	expect(told.message).not.toContain('hunter2');
});

test('n8n hides the values, and demands no secrets of a node', () => {
	const [field] = new QflowSecretsApi().properties;
	const { credentials } = new QflowPython().description;

	expect(field?.typeOptions?.redactJsonLeaves).toBe(true);
	expect(credentials?.map(({ name, required }) => [name, required])).toEqual([
		['qflowApi', true],
		['qflowSecretsApi', false],
	]);
});

function everythingOf(error: Error): string {
	const own = Object.getOwnPropertyNames(error).map((name) => [name, Reflect.get(error, name)]);
	return JSON.stringify([own, error, error.cause, String(error.cause)]);
}
