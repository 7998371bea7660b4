import type { IExecuteFunctions, INode } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import type { Mode } from './api';

/** How an argument becomes JSON text for one item; `undefined` leaves the argument out. */
type Encode = (itemIndex: number) => string | undefined;

interface Argument {
	name: string;
	encode: Encode;
	/** Whether the text may differ from item to item. */
	varies: boolean;
}

interface RawArgument {
	name?: string;
	value?: unknown;
}

/**
 * The node's arguments as the JSON text of a list: no entry, one for all items, or one per item.
 *
 * n8n takes about 50 µs for each parameter of each item, so only what may differ between items is
 * asked for item by item.
 */
export function encodeArguments(
	context: IExecuteFunctions,
	node: INode,
	mode: Mode,
	itemCount: number,
): string {
	const found: Argument[] = [];
	for (const [index, raw] of rawArguments(node).entries()) {
		const isBlankRow = !raw.name && (raw.value ?? '') === '';
		if (!isBlankRow) found.push(argument(context, node, raw, index));
	}
	refuseDuplicates(node, found);
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

function rawArguments(node: INode): RawArgument[] {
	const collection = node.parameters.arguments as { argument?: RawArgument[] } | undefined;
	return collection?.argument ?? [];
}

function argument(
	context: IExecuteFunctions,
	node: INode,
	raw: RawArgument,
	index: number,
): Argument {
	const path = `arguments.argument[${index}]`;
	const given = isExpression(raw.name) ? context.getNodeParameter(`${path}.name`, 0) : raw.name;
	const name = typeof given === 'string' ? given.trim() : '';
	if (name === '') {
		throw new NodeOperationError(node, `Argument ${index + 1} has no name`, {
			description: 'Write the name of the parameter as the function has it.',
		});
	}
	const { value } = raw;
	if (isExpression(value)) {
		return {
			name,
			encode: (item) => JSON.stringify(context.getNodeParameter(`${path}.value`, item)),
			varies: mayVary(value),
		};
	}
	const literal = encodeLiteral(value);
	return { name, encode: () => literal, varies: false };
}

function isExpression(value: unknown): value is string {
	return typeof value === 'string' && value.startsWith('=');
}

/** Without a variable of n8n's and without a call, an expression gives every item the same. */
function mayVary(expression: string): boolean {
	return /[$(]/.test(expression);
}

/** The text itself where it is JSON, so that Python reads a long number with all its digits. */
function encodeLiteral(value: unknown): string {
	if (typeof value !== 'string') return JSON.stringify(value ?? null);
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

function refuseDuplicates(node: INode, found: Argument[]): void {
	const names = found.map((each) => each.name);
	const twice = names.find((name, index) => names.indexOf(name) !== index);
	if (twice !== undefined) {
		throw new NodeOperationError(node, `The argument "${twice}" is given twice`, {
			description: 'Remove one of the two.',
		});
	}
}
