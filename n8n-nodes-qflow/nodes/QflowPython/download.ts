import type { IBinaryData, IExecuteFunctions, INode } from 'n8n-workflow';

import type { ReplyItem } from './api';
import { isProblem, isRecord, sentence } from './errors';
import { forEach } from './pool';
import type { Place } from './request';
import { download, isCancelled } from './transport';
import { AT_ONCE } from './upload';

/** Until the first byte of a file: the runner has it on its disk. */
const TIMEOUT_MS = 60_000;

const NAME_LENGTH = 255;
const MIME_LENGTH = 300;

interface Job {
	told: Record<string, unknown>;
	property: string;
	/** Index of the output item. */
	index: number;
	kept?: IBinaryData;
}

/**
 * Makes the files of a reply n8n's own, in the items themselves.
 *
 * What an item says of its files comes from a sandbox, and n8n trusts the ids of its binary data: so
 * nothing of it reaches n8n but contents, names and types. `uploaded` are n8n's files by the ids that
 * the runner gave them: one that comes back is the one that was sent. Throws NodeOperationError.
 */
export async function downloadFiles(
	context: IExecuteFunctions,
	node: INode,
	items: ReplyItem[],
	uploaded: Map<string, IBinaryData>,
	place: Place,
): Promise<void> {
	const jobs = items.map(({ binary }, index) =>
		Object.entries(isRecord(binary) ? binary : {}).map(
			([property, told]): Job => ({ told: isRecord(told) ? told : {}, property, index }),
		),
	);
	await forEach(jobs.flat(), AT_ONCE, async (job) => {
		job.kept = await keep(context, node, job, uploaded, place);
	});
	items.forEach((item, index) => {
		const files = jobs[index]?.map(({ property, kept }) => [property, kept]) ?? [];
		if (files.length > 0) item.binary = Object.fromEntries(files);
		else delete item.binary;
	});
}

async function keep(
	context: IExecuteFunctions,
	node: INode,
	job: Job,
	uploaded: Map<string, IBinaryData>,
	place: Place,
): Promise<IBinaryData> {
	const { data, file } = job.told;
	const name = fileName(job.told.fileName);
	const mime = text(job.told.mimeType).slice(0, MIME_LENGTH) || undefined;
	if (typeof file === 'string') {
		const sent = uploaded.get(file);
		if (sent !== undefined && (mime ?? sent.mimeType) === sent.mimeType) {
			return { ...sent, ...(name && { fileName: name }) };
		}
		return await fetched(context, node, job, file, name, mime, place);
	}
	if (typeof data !== 'string') {
		throw sentence(
			node,
			`${nameOf(job)} has no content`,
			'Return it as a qflow.File, as bytes, or as "data" in base64.',
		);
	}
	return await context.helpers.prepareBinaryData(Buffer.from(data, 'base64'), name, mime);
}

async function fetched(
	context: IExecuteFunctions,
	node: INode,
	job: Job,
	id: string,
	name: string | undefined,
	mime: string | undefined,
	place: Place,
): Promise<IBinaryData> {
	const query = new URLSearchParams({ workflow: place.workflow });
	const content = await download(context, node, {
		method: 'GET',
		path: `/v1/files/${/^[\w-]+$/.test(id) ? id : 'none'}?${query.toString()}`,
		timeoutMs: TIMEOUT_MS,
	});
	if ('status' in content) {
		const because = isProblem(content.body) ? content.body.detail : `status ${content.status}`;
		const hint = isProblem(content.body) ? (content.body.hint ?? '') : '';
		throw sentence(node, `${nameOf(job)} could not be fetched from the runner: ${because}`, hint);
	}
	try {
		return await context.helpers.prepareBinaryData(content, name, mime);
	} catch (error) {
		if (isCancelled(context)) throw sentence(node, 'The execution was canceled', '');
		throw sentence(
			node,
			`${nameOf(job)} did not arrive whole`,
			`The connection to the runner, or n8n's store of binary data, broke (${(error as Error).message}).`,
		);
	} finally {
		content.destroy();
	}
}

function text(value: unknown): string {
	return typeof value === 'string' ? value : '';
}

/** The last part of a name, with what can be seen of it. */
function fileName(value: unknown): string | undefined {
	const last = text(value).split(/[/\\]/).pop() ?? '';
	const plain = last.replace(/\p{C}/gu, '').trim();
	if (plain === '.' || plain === '..') return undefined;
	return Array.from(plain).slice(-NAME_LENGTH).join('') || undefined;
}

function nameOf({ told, property, index }: Job): string {
	return `The file "${fileName(told.fileName) ?? property}" of output item ${index}`;
}
