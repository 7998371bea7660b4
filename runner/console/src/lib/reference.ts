/** A stand-in for an object that stayed in the session. */
import type { Json } from '@/api/types';

export interface Reference {
	ref: string;
	type: string;
	facts: [string, string][];
	rows: Record<string, Json>[];
	preview: string;
}

export function referenceOf(json: Record<string, Json>): Reference | undefined {
	const given = json.$qflow;
	if (typeof given !== 'object' || given === null || Array.isArray(given)) return undefined;
	const { ref, type, preview, ...rest } = given;
	if (typeof ref !== 'string') return undefined;
	const facts = Object.entries(rest)
		.filter(([, value]) => value !== null && value !== '')
		.map(([name, value]): [string, string] => [
			name,
			typeof value === 'string' ? value : JSON.stringify(value),
		]);
	const rows = Array.isArray(preview) ? preview.filter(isObject) : [];
	const text = rows.length
		? ''
		: preview === undefined
			? ''
			: typeof preview === 'string'
				? preview
				: JSON.stringify(preview, null, 2);
	return { ref, type: String(type ?? 'object'), facts, rows, preview: text };
}

function isObject(value: Json): value is Record<string, Json> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}
