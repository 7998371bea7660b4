import type { IBinaryData, IExecuteFunctions, INode, INodeExecutionData } from 'n8n-workflow';

import type { ItemFile } from './api';
import { isProblem, sentence } from './errors';
import { forEach } from './pool';
import type { Place } from './request';
import type { Answer, Readable } from './transport';
import { call, isCancelled } from './transport';

/** Bytes of a file up to which its content stands in the item itself. */
const INLINE = 64 * 1024;

/** Bytes of all such files in one request; those after them are sent on their own. */
const INLINE_TOTAL = 16 * 1024 * 1024;

export const AT_ONCE = 4;

/** The slowest way to a runner that is waited for, in bytes per millisecond. */
const SLOWEST = 1_000;
const EXTRA_MS = 60_000;

/** How much of a name or type the runner takes; the end of a name says most. */
const NAME_LENGTH = 255;
const MIME_LENGTH = 300;

export type Files = Record<string, ItemFile>;

export interface Uploaded {
	/** The files of each item, by its index and their properties. */
	items: Array<Files | undefined>;
	/** n8n's files by the ids that the runner gave them. */
	byId: Map<string, IBinaryData>;
}

interface Job {
	file: IBinaryData;
	property: string;
	item: number;
	sent?: ItemFile;
}

/** Sends what is in the items' files to the runner. Throws NodeOperationError. */
export async function uploadFiles(
	context: IExecuteFunctions,
	node: INode,
	items: INodeExecutionData[],
	place: Place,
): Promise<Uploaded> {
	// A file that several items share is sent once.
	const jobs = new Map<string | IBinaryData, Job>();
	items.forEach(({ binary }, item) => {
		for (const [property, file] of Object.entries(binary ?? {})) {
			const key = file.id ?? file;
			if (!jobs.has(key)) jobs.set(key, { file, property, item });
		}
	});
	const byId = new Map<string, IBinaryData>();
	let room = INLINE_TOTAL;
	await forEach([...jobs.values()], AT_ONCE, async (job) => {
		const { file } = job;
		const size = await fromN8n(node, job, async () => await sizeOf(context, file));
		const inline = size <= INLINE && size <= room;
		if (inline) room -= size;
		const content = inline
			? { data: await fromN8n(node, job, async () => await base64(context, file)) }
			: { file: await upload(context, node, job, size, place) };
		if (content.file !== undefined) byId.set(content.file, file);
		job.sent = {
			mimeType: file.mimeType,
			...(file.fileName === undefined ? {} : { fileName: file.fileName }),
			fileSize: size,
			...content,
		};
	});
	return { items: items.map(({ binary }) => binary && describe(binary, jobs)), byId };
}

function describe(
	binary: NonNullable<INodeExecutionData['binary']>,
	jobs: Map<string | IBinaryData, Job>,
): Files {
	const entries = Object.entries(binary).map(([property, file]) => {
		// A file that is shared may have a name of its own in each item.
		const { mimeType, fileName } = file;
		return [property, { ...jobs.get(file.id ?? file)?.sent, mimeType, fileName }];
	});
	return Object.fromEntries(entries) as Files;
}

async function sizeOf(context: IExecuteFunctions, file: IBinaryData): Promise<number> {
	if (file.id === undefined) return Buffer.byteLength(file.data, 'base64');
	return file.bytes ?? (await context.helpers.getBinaryMetadata(file.id)).fileSize;
}

async function base64(context: IExecuteFunctions, { id, data }: IBinaryData): Promise<string> {
	if (id === undefined) return data;
	const stream = await context.helpers.getBinaryStream(id);
	return (await context.helpers.binaryToBuffer(stream)).toString('base64');
}

/** The id under which the runner has the file. */
async function upload(
	context: IExecuteFunctions,
	node: INode,
	job: Job,
	size: number,
	place: Place,
): Promise<string> {
	const { file, property } = job;
	const query = new URLSearchParams({
		...place,
		name: Array.from(file.fileName ?? property)
			.slice(-NAME_LENGTH)
			.join(''),
		mime: file.mimeType.length > MIME_LENGTH ? '' : file.mimeType,
	});
	const { status, body } = await send(context, node, job, size, `/v1/files?${query.toString()}`);
	if (status === 200 && typeof body.file === 'string') return body.file;
	const because = isProblem(body) ? body.detail : 'The runner may be older than this node.';
	throw sentence(
		node,
		`${nameOf(job)} could not be sent to the runner: ${because}`,
		(isProblem(body) ? body.hint : undefined) ?? '',
		job.item,
	);
}

async function send(
	context: IExecuteFunctions,
	node: INode,
	job: Job,
	size: number,
	path: string,
): Promise<Answer> {
	const request = { method: 'POST', path, size, timeoutMs: EXTRA_MS + size / SLOWEST } as const;
	const { id, data } = job.file;
	if (id === undefined) {
		return await call(context, node, { ...request, body: Buffer.from(data, 'base64') });
	}
	const stream = await fromN8n<Readable>(
		node,
		job,
		async () => await context.helpers.getBinaryStream(id),
	);
	let broken: Error | undefined;
	stream.once('error', (error: Error) => {
		broken = error;
	});
	try {
		return await call(context, node, { ...request, body: stream });
	} catch (error) {
		throw broken === undefined || isCancelled(context)
			? (error as Error)
			: unreadable(node, job, broken);
	} finally {
		// An answer that came before the end of the file leaves it open.
		stream.destroy();
	}
}

/** What n8n itself has of a file, or the sentence that it has it no more. */
async function fromN8n<Result>(
	node: INode,
	job: Job,
	read: () => Promise<Result>,
): Promise<Result> {
	try {
		return await read();
	} catch (error) {
		throw unreadable(node, job, error as Error);
	}
}

function unreadable(node: INode, job: Job, error: Error) {
	return sentence(
		node,
		`${nameOf(job)} cannot be read from n8n's binary data`,
		`Run the node that gave it once more (${error.message}).`,
		job.item,
	);
}

function nameOf({ file, property }: Job): string {
	return `The file "${file.fileName ?? property}"`;
}
