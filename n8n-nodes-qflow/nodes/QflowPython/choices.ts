import type { INodePropertyOptions } from 'n8n-workflow';

import { argumentsOf, headOf, members } from './typeText';

type Choice = string | number | boolean;

/**
 * The values of a type that has few: bool, Literal, and an enumeration of this code.
 *
 * A bool too, because a switch cannot show that nothing is given: it would read "off" where the
 * default is True.
 */
export function choicesOf(type: string, code: string): INodePropertyOptions[] | undefined {
	const found: Choice[] = [];
	for (const member of members(type)) {
		const values = valuesOf(member, code);
		if (values === undefined) return undefined;
		found.push(...values);
	}
	if (found.length === 0) return undefined;
	return [...new Set(found)].map((value) => ({ name: shown(value), value }));
}

function valuesOf(type: string, code: string): Choice[] | undefined {
	if (type === 'bool') return [true, false];
	const name = headOf(type);
	const values = name === 'Literal' ? argumentsOf(type).map(literal) : enumeration(name, code);
	return values?.every((value) => value !== undefined) ? (values as Choice[]) : undefined;
}

/** What stands in a class's parentheses, and the code after its colon. */
function classHead(name: string, code: string): { bases: string; body: string } | undefined {
	if (!/^[\p{L}\p{N}_]+$/u.test(name)) return undefined;
	const match = new RegExp(
		`^class[ \\t]+${name}[ \\t]*(?:\\[[^\\]]*\\])?[ \\t]*(?:\\(([^)]*)\\))?[ \\t]*:`,
		'mu',
	).exec(code);
	if (match === null) return undefined;
	return { bases: match[1] ?? '', body: code.slice(match.index + match[0].length) };
}

/** The members' values as their source says; one that is computed makes the list useless. */
function enumeration(name: string, code: string): Array<Choice | undefined> | undefined {
	const found = classHead(name, code);
	if (found === undefined || !/\b(Int|Str)?Enum\b/.test(found.bases)) return undefined;
	const values: Array<Choice | undefined> = [];
	for (const line of found.body.split('\n').slice(1)) {
		if (/^\S/.test(line) && !line.startsWith('#')) break;
		const value = /^[ \t]+[A-Za-z]\w*[ \t]*=(?!=)(.*)$/.exec(line)?.[1];
		if (value !== undefined) values.push(literal(value.replace(/\s+#[^'"]*$/, '')));
	}
	return values.length > 0 ? values : undefined;
}

function literal(source: string): Choice | undefined {
	const text = source.trim();
	if (text === 'True' || text === 'False') return text === 'True';
	if (/^-?\d+(?:\.\d+)?$/.test(text)) return Number(text);
	return /^'([^'\\]*)'$/.exec(text)?.[1] ?? /^"([^"\\]*)"$/.exec(text)?.[1];
}

function shown(value: Choice): string {
	if (typeof value === 'boolean') return value ? 'True' : 'False';
	return String(value) || '(Empty Text)';
}
