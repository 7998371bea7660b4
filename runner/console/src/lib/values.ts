/** Types of parameters, and the values that a person writes for them. */
import type { Item, Json } from '@/api/types';

export type Field = 'switch' | 'integer' | 'number' | 'text' | 'choice' | 'json' | 'none';

const TEXT = new Set([
	'str',
	'datetime.datetime',
	'datetime.date',
	'datetime.time',
	'uuid.UUID',
	'decimal.Decimal',
	'Decimal',
	'datetime',
	'date',
	'pathlib.Path',
	'Path',
	'UUID',
]);
const GIVEN = new Set(['qflow.Context', 'Context', 'qflow.Secret', 'Secret']);

/** What a type is asked for with. `None` beside it changes nothing: an empty field gives nothing. */
export function fieldOf(type: string): Field {
	const bare = type.replace(/\s*\|\s*None$|^None\s*\|\s*/, '').replace(/^Optional\[(.*)\]$/, '$1');
	if (GIVEN.has(bare)) return 'none';
	if (bare === 'bool') return 'switch';
	if (bare === 'int') return 'integer';
	if (bare === 'float' || bare === 'number' || bare === 'int | float') return 'number';
	if (choicesOf(bare).length) return 'choice';
	return TEXT.has(bare) ? 'text' : 'json';
}

/** The values of a Literal of texts and numbers. */
export function choicesOf(type: string): string[] {
	const inside = /Literal\[(.*)\]/.exec(type)?.[1];
	if (!inside) return [];
	return [...inside.matchAll(/'([^']*)'|"([^"]*)"|(-?\d+(?:\.\d+)?)/g)].map(
		(match) => match[1] ?? match[2] ?? match[3] ?? '',
	);
}

/** The value that a field's text stands for. Raises SyntaxError for JSON that is none. */
export function valueOf(text: string, type: string): Json {
	switch (fieldOf(type)) {
		case 'switch':
			return text === 'true';
		case 'integer':
		case 'number':
			return Number(text);
		case 'choice':
			return /Literal\[\s*-?\d/.test(type) ? Number(text) : text;
		case 'json':
			return looseJson(text, type);
		default:
			return text;
	}
}

function looseJson(text: string, type: string): Json {
	try {
		return JSON.parse(text) as Json;
	} catch (error) {
		// Where nothing is known of the type, a word is a word.
		if (!type || type === 'Any') return text;
		throw error;
	}
}

/** Items, from what a person wrote: a list of objects, or of n8n's items. Raises SyntaxError. */
export function itemsOf(text: string): Item[] {
	const given: unknown = JSON.parse(text.trim() || '[{}]');
	const list: unknown[] = Array.isArray(given) ? given : [given];
	return list.map((each): Item => {
		if (typeof each !== 'object' || each === null || Array.isArray(each)) {
			throw new SyntaxError('Each item must be an object, such as {"amount": 1}.');
		}
		const whole = each as Record<string, unknown>;
		const isItem = typeof whole.json === 'object' && whole.json !== null;
		return isItem ? (whole as unknown as Item) : { json: whole as Record<string, Json> };
	});
}

/** The type that these values have together, as Python writes it. Empty where there are none. */
export function typeOf(values: readonly Json[]): string {
	return [...new Set(values.map(typeOfOne))].sort().join(' | ');
}

function typeOfOne(value: Json): string {
	if (value === null) return 'None';
	if (typeof value === 'boolean') return 'bool';
	if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float';
	if (typeof value === 'string') return 'str';
	if (!Array.isArray(value)) return 'dict';
	const inside = typeOf(value);
	return inside ? `list[${inside}]` : 'list';
}

/** What the test's items would give to a parameter of this name. */
export function sourceOf(text: string, parameter: string): string {
	try {
		const values = itemsOf(text)
			.map((item) => item.json[parameter])
			.filter((value): value is Json => value !== undefined);
		return typeOf(values);
	} catch {
		return '';
	}
}
