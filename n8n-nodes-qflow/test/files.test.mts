import type { INodeExecutionData } from 'n8n-workflow';
import { expect } from 'vitest';

import type { FakeContext } from './context.mjs';
import { test } from './fixtures.mjs';
import { Response } from './runner.mjs';

const UPLOAD = 'POST /v1/files';
const RUN = 'POST /v1/definitions/{id}/runs';
const STORE = 'PUT /v1/definitions';

const SMALL = Buffer.from('small');
const LARGE = Buffer.alloc(65_537, 'x');

function items(context: FakeContext, files: Array<INodeExecutionData['binary']>): FakeContext {
	context.setup.items = files.map((binary) => ({ json: {}, ...(binary && { binary }) }));
	return context;
}

test('Where the code takes no files, none is sent', async ({ runner, prepare }) => {
	const context = prepare();
	const photo = await context.file(LARGE, 'a.png', 'image/png');

	await items(context, [{ photo }]).execute();

	expect(runner.requests).toEqual([STORE, RUN]);
	expect(runner.runs[0]?.body.items).toEqual([{ json: {} }]);
});

test('A small file goes with its item, a large one before it, whole and with its length', async ({
	runner,
	prepare,
}) => {
	runner.reply = { takes_files: true };
	const context = prepare();
	const small = await context.file(SMALL, 'a.txt', 'text/plain');
	const large = await context.file(LARGE, 'ü.bin', 'application/x-b');

	await items(context, [undefined, { small, large }]).execute();

	expect(runner.requests).toEqual([STORE, UPLOAD, RUN]);
	expect(runner.runs[0]?.body.items).toEqual([
		{ json: {} },
		{
			json: {},
			binary: {
				small: {
					mimeType: 'text/plain',
					fileName: 'a.txt',
					fileSize: 5,
					data: SMALL.toString('base64'),
				},
				large: {
					mimeType: 'application/x-b',
					fileName: 'ü.bin',
					fileSize: LARGE.length,
					file: 'file-0',
				},
			},
		},
	]);
	expect(runner.uploads.get('file-0')).toEqual({
		query: {
			workflow: 'workflow-1',
			execution: 'execution-1',
			name: 'ü.bin',
			mime: 'application/x-b',
		},
		content: LARGE,
		length: String(LARGE.length),
	});
});

test('A file that n8n keeps in the item itself is sent too', async ({ runner, prepare }) => {
	runner.reply = { takes_files: true };
	const mimeType = 'text/plain';
	const small = { data: SMALL.toString('base64'), mimeType };
	const large = { data: LARGE.toString('base64'), mimeType };

	await items(prepare(), [{ small, large }]).execute();

	expect(runner.runs[0]?.body.items[0]?.binary).toEqual({
		small: { mimeType, fileSize: 5, data: small.data },
		large: { mimeType, fileSize: LARGE.length, file: 'file-0' },
	});
	expect(runner.uploads.get('file-0')?.content).toEqual(LARGE);
	expect(runner.uploads.get('file-0')?.query.name).toEqual('large');
});

test('A file that items share is sent once, under the name that it has in each', async ({
	runner,
	prepare,
}) => {
	runner.reply = { takes_files: true };
	const context = prepare();
	const file = await context.file(LARGE, 'a.bin', 'text/plain');

	await items(context, [{ a: file }, { b: { ...file, fileName: 'b.bin' } }]).execute();

	const named = { mimeType: 'text/plain', fileSize: LARGE.length, file: 'file-0' };
	expect(runner.uploads.size).toEqual(1);
	expect(runner.runs[0]?.body.items.map(({ binary }) => binary)).toEqual([
		{ a: { ...named, fileName: 'a.bin' } },
		{ b: { ...named, fileName: 'b.bin' } },
	]);
});

test('Several files are sent at once, four at most', async ({ runner, prepare }) => {
	runner.reply = { takes_files: true };
	const context = prepare();
	const files = [];
	for (let index = 0; index < 9; index += 1) {
		files.push({ data: await context.file(LARGE, `${index}`, 'text/plain') });
	}

	await items(context, files).execute();

	expect(runner.uploads.size).toEqual(9);
	expect(context.mostAtOnce).toEqual(4);
});

test('Many small files do not become one huge request', async ({ runner, prepare }) => {
	runner.reply = { takes_files: true };
	const context = prepare();
	const content = Buffer.alloc(65_536);
	const files = [];
	for (let index = 0; index < 260; index += 1) {
		files.push({ data: await context.file(content, `${index}`, 'text/plain') });
	}

	await items(context, files).execute();

	expect(runner.uploads.size).toEqual(4);
});

test('An upload that is refused is told on the node, with the item', async ({
	runner,
	prepare,
}) => {
	runner.reply = { takes_files: true };
	runner.refusal = Response.problem({
		status: 413,
		detail: 'A file may have 64 KB.',
		hint: 'Make it smaller.',
	});
	const context = prepare();
	const data = await context.file(LARGE, 'a.bin', 'text/plain');

	const error = await items(context, [undefined, { data }]).failure();

	expect(error.message).toEqual(
		'The file "a.bin" could not be sent to the runner: A file may have 64 KB.',
	);
	expect(error.description).toEqual('Make it smaller.');
	expect(error.context.itemIndex).toEqual(1);
	expect(runner.requests).not.toContain(RUN);
});

test('A file that n8n has lost is told as such', async ({ runner, prepare }) => {
	runner.reply = { takes_files: true };
	const lost = { id: 'store:lost', data: 'store', bytes: 9, mimeType: 'text/plain' };

	const error = await items(prepare(), [{ lost }]).failure();

	expect(error.message).toEqual('The file "lost" cannot be read from n8n\'s binary data');
	expect(error.description).toContain('There is no store:lost.');
});

test('Files of the results become n8n’s own, with name and type', async ({ runner, prepare }) => {
	runner.downloads.set('f-1', 'much');
	runner.behaviour = () => ({
		items: [
			{ json: { a: 1 }, pairedItem: 0 },
			{
				json: {},
				binary: {
					small: { mimeType: 'image/png', fileName: 'a.png', data: SMALL.toString('base64') },
					large: { mimeType: 'text/csv', fileName: 'b.csv', fileSize: 4, file: 'f-1' },
				},
			},
		],
	});
	const context = prepare();

	const output = await context.execute();

	expect(output[0]).toEqual({ json: { a: 1 }, pairedItem: 0 });
	expect(output[1]?.binary).toMatchObject({
		small: { mimeType: 'image/png', fileName: 'a.png', bytes: 5 },
		large: { mimeType: 'text/csv', fileName: 'b.csv', bytes: 4 },
	});
	expect(context.contentIn(output[1], 'small')).toEqual('small');
	expect(context.contentIn(output[1], 'large')).toEqual('much');
});

test('An uploaded file that comes back is the one that n8n has', async ({ runner, prepare }) => {
	runner.reply = { takes_files: true };
	runner.behaviour = ({ body }) => ({
		items: [{ json: {}, binary: { same: { ...sentFile(body.items[0]), fileName: 'new.bin' } } }],
	});
	const context = prepare();
	const file = await context.file(LARGE, 'a.bin', 'text/plain');

	const output = await items(context, [{ file }]).execute();

	expect(output[0]?.binary).toEqual({ same: { ...file, fileName: 'new.bin' } });
	expect(runner.requests).toEqual([STORE, UPLOAD, RUN]);
});

function sentFile(item: { binary?: Record<string, unknown> } | undefined) {
	return item?.binary?.file as object;
}

test.for<[string, unknown]>([
	['an id of n8n’s', { id: 'store:0', data: undefined, mimeType: 'text/plain' }],
	['nothing', null],
	['a number', { data: 7 }],
])(
	'What code says of a file without giving it (%s) is refused',
	async ([, told], { runner, prepare }) => {
		runner.behaviour = () => ({ items: [{ json: {}, binary: { x: told } }] });
		const run = prepare();
		await run.file(Buffer.from('of another workflow'), 'secret', 'text/plain');

		const error = await run.failure();

		expect(error.message).toEqual('The file "x" of output item 0 has no content');
	},
);

test.for<[unknown, unknown]>([
	['../../etc/passwd', 'passwd'],
	['C:\\temp\\a.txt', 'a.txt'],
	['a\u0000\u202eb.txt', 'ab.txt'],
	['..', undefined],
	['', undefined],
	[7, undefined],
	[`${'ü'.repeat(300)}.png`, `${'ü'.repeat(251)}.png`],
])('A file named %j by code is safe in n8n', async ([fileName, expected], { runner, prepare }) => {
	runner.behaviour = () => ({
		items: [{ json: {}, binary: { x: { fileName, data: '' } } }],
	});

	const output = await prepare().execute();

	expect(output[0]?.binary?.x?.fileName).toEqual(expected);
});

test('A property of any name is a file and nothing else', async ({ runner, prepare }) => {
	runner.behaviour = () =>
		({ items: JSON.parse('[{"json":{},"binary":{"__proto__":{"data":"YQ=="}}}]') }) as object;
	const context = prepare();

	const [item] = await context.execute();

	expect(Object.keys(item?.binary ?? {})).toEqual(['__proto__']);
});

test.for(['gone', '../definitions', 'a?workflow=b'])(
	'A file that the runner does not have (%j) is told on the node',
	async (file, { runner, prepare }) => {
		runner.behaviour = () => ({ items: [{ json: {}, binary: { x: { file, fileName: 'a' } } }] });

		const error = await prepare().failure();

		expect(error.message).toEqual(
			'The file "a" of output item 0 could not be fetched from the runner: The file is gone.',
		);
		expect(error.description).toEqual('Run it again.');
	},
);

test('A download that breaks off is told on the node', async ({ runner, prepare }) => {
	runner.behaviour = () => ({ items: [{ json: {}, binary: { x: { file: 'f' } } }] });
	runner.downloads.set('f', new Response(200, 'half of it', 'image/png', true));

	const error = await prepare().failure();

	expect(error.message).toEqual('The file "x" of output item 0 did not arrive whole');
});
