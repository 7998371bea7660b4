import type { IExecuteFunctions, INode, ResourceMapperValue } from 'n8n-workflow';

import type { Mode } from './api';
import { isExpression } from './parameters';

/** How an argument becomes JSON text for one item; `undefined` leaves the argument out. */
type Encode = (itemIndex: number) => string | undefined;

interface Argument {
	name: string;
	encode: Encode;
	/** Whether the text may differ from item to item. */
	varies: boolean;
}

/**
 * The node's arguments as the JSON text of a list: no entry, one for all items, or one per item.
 *
 * n8n takes about 50 µs for each parameter of each item, so only what may differ between items is
 * asked for item by item. It is asked for field by field, because n8n converts the fields of a whole
 * mapper to the types in its schema, and takes an empty text for the number 0.
 */
export function encodeArguments(
	context: IExecuteFunctions,
	node: INode,
	mode: Mode,
	itemCount: number,
): string {
	const mapper = node.parameters.arguments as Partial<ResourceMapperValue> | null | undefined;
	const found: Argument[] = [];
	for (const [name, raw] of Object.entries(mapper?.value ?? {})) {
		// An empty field leaves the parameter to the item or to its default.
		if (raw === null || raw === undefined || raw === '') continue;
		const kind = mapper?.schema?.find((field) => field.id === name)?.type;
		found.push(argument(context, name, raw, kind));
	}
	if (found.length === 0) return '[]';
	const entries = mode !== 'all' && found.some((each) => each.varies) ? itemCount : 1;
	const constant = new Map(
		found.filter((each) => !each.varies).map((each) => [each, each.encode(0)]),
	);
	const list = Array.from({ length: entries }, (_, item) =>
		encodeEntry(found, (each) => (each.varies ? each.encode(item) : constant.get(each))),
	);
	return `[${list.join(',')}]`;
}

function argument(
	context: IExecuteFunctions,
	name: string,
	raw: unknown,
	kind: string | undefined,
): Argument {
	if (!isExpression(raw)) {
		const literal = encodeField(raw, kind);
		return { name, encode: () => literal, varies: false };
	}
	const path = `arguments.value.${name}`;
	// Text around expressions, such as [{{ $json.a }}, 2], may be JSON as text without any may be.
	const isText = !/^=\{\{(?:(?!\}\})[^])*\}\}$/.test(raw);
	return {
		name,
		encode: (item) => {
			const value = context.getNodeParameter(path, item);
			return isText ? encodeField(value, kind) : JSON.stringify(value);
		},
		varies: mayVary(raw),
	};
}

/** Without a variable of n8n's and without a call, an expression gives every item the same. */
function mayVary(expression: string): boolean {
	return /[$(]/.test(expression);
}

/**
 * What a field holds, as JSON: text is the text of a field for text, and JSON in any other where it
 * can be, so that Python reads a long number with all its digits.
 */
function encodeField(value: unknown, kind: string | undefined): string | undefined {
	if (typeof value !== 'string' || kind === 'string' || kind === 'options') {
		return JSON.stringify(value);
	}
	const text = value.trim();
	try {
		return typeof JSON.parse(text) === 'string' ? JSON.stringify(value) : text;
	} catch {
		return JSON.stringify(value);
	}
}

function encodeEntry(
	found: Argument[],
	textOf: (argument: Argument) => string | undefined,
): string {
	const members: string[] = [];
	for (const each of found) {
		const text = textOf(each);
		if (text !== undefined) members.push(`${JSON.stringify(each.name)}:${text}`);
	}
	return `{${members.join(',')}}`;
}
