import type { FieldType, INodePropertyOptions, ResourceMapperField } from 'n8n-workflow';

import type { Parameter } from './api';
import { choicesOf } from './choices';
import { headOf, members } from './typeText';

const NUMBERS = ['int', 'float', 'number', 'SupportsInt', 'SupportsFloat'];
const TEXTS = ['str', 'bytes', 'UUID', 'Path', 'PurePath', 'Decimal', 'date', 'time', 'timedelta'];

/**
 * Kinds of field by the name of the type. Any other type has a plain field, which takes an expression
 * or JSON: n8n's editor for JSON marks an empty field as an error, and most fields stay empty.
 */
const FIELDS = new Map<string, FieldType>([
	...NUMBERS.map((name) => [name, 'number'] as const),
	...TEXTS.map((name) => [name, 'string'] as const),
	['datetime', 'dateTime'],
]);

/** In a list of choices: nothing is given, and the item or the default decides. */
const UNSET: INodePropertyOptions = { name: '(From the Item or the Default)', value: '' };

/** The field for a parameter. Never required: most values come from the item. */
export function fieldOf(parameter: Parameter, code: string): ResourceMapperField {
	const { name, type } = parameter;
	const choices = choicesOf(type, code);
	const kind = choices === undefined ? kindOf(type) : 'options';
	return {
		id: name,
		displayName: label(parameter),
		required: false,
		defaultMatch: false,
		canBeUsedToMatch: false,
		display: true,
		...(kind === undefined ? {} : { type: kind }),
		...(choices === undefined ? {} : { options: [UNSET, ...choices] }),
	};
}

/** `vat: float = 0.19 · the rate of the country` */
function label({ name, type, required, default: initial, inferred, doc }: Parameter): string {
	const typed = type === '' ? name : `${name}: ${type}${inferred ? ' (inferred)' : ''}`;
	const needed = required ? ', required' : ` = ${initial ?? '…'}`;
	const about = doc.split('\n')[0]?.trim() ?? '';
	return `${typed}${needed}${about === '' ? '' : ` · ${about}`}`;
}

/** The kind of field that all members of the type share. */
function kindOf(type: string): FieldType | undefined {
	const kinds = members(type).map((member) => FIELDS.get(headOf(member)));
	const [first] = kinds;
	return kinds.every((each) => each === first) ? first : undefined;
}
