import type { ResourceMapperField } from 'n8n-workflow';
import { expect } from 'vitest';

import type { Analysis, Finding, Parameter, PythonFunction } from '../nodes/QflowPython/api.js';
import { test, withArguments } from './fixtures.mjs';
import { Response } from './runner.mjs';

function parameter(name: string, type: string, more: Partial<Parameter> = {}): Parameter {
	return { name, type, required: true, default: null, inferred: false, doc: '', ...more };
}

const INVOICE: PythonFunction = {
	name: 'invoice',
	params: [
		parameter('order', 'Order'),
		parameter('vat', 'float', { required: false, default: '0.19', doc: 'the rate\nof it' }),
	],
	doc: 'The invoice of an order.\n\nWith VAT.',
	signature: 'invoice(order: Order, vat: float = 0.19) -> dict',
};
const PRICE: PythonFunction = {
	name: 'price',
	params: [parameter('item', 'str', { inferred: true })],
	doc: '',
	signature: 'price(item: str)',
};
const BROKEN: Finding = {
	severity: 'error',
	message: "'(' was never closed.",
	hint: 'Close it.',
	line: 3,
	column: 7,
};

const ONE: Partial<Analysis> = {
	functions: [INVOICE],
	entry: 'invoice',
	requirements: [{ requirement: 'pandas>=2' }, { requirement: 'rich' }],
};
const TWO: Partial<Analysis> = { functions: [INVOICE, PRICE] };

test('The runner is asked about the code, for the Python of the node', async ({
	runner,
	prepare,
}) => {
	await prepare({ code: 'a' }).functions();
	await prepare({ code: 'b', options: { python: '3.9' } }).fields();

	expect(runner.analysed).toEqual([{ code: 'a' }, { code: 'b', python: '3.9' }]);
});

test('Functions are listed with their signatures, after the one that is called without a choice', async ({
	runner,
	prepare,
}) => {
	runner.analysis = ONE;

	expect(await prepare().functions()).toEqual([
		{
			name: `Automatic: ${INVOICE.signature}`,
			value: '',
			description: 'The only function, or the one named main.',
		},
		{
			name: INVOICE.signature,
			value: INVOICE.signature,
			description: 'The invoice of an order.',
		},
	]);
});

test('Where it is not clear which function is meant, the list says so', async ({
	runner,
	prepare,
}) => {
	runner.analysis = TWO;

	const [automatic, , price] = await prepare().functions();

	expect(automatic).toMatchObject({ name: 'None chosen', value: '' });
	expect(automatic?.description).toMatch(/choose one/);
	expect(price).toEqual({ name: PRICE.signature, value: PRICE.signature });
});

test('A chosen function keeps its value when its signature has changed', async ({
	runner,
	prepare,
}) => {
	runner.analysis = TWO;
	const chosen = 'invoice(order: Order) -> dict';

	const [, invoice] = await prepare({ function: chosen }).functions();

	expect(invoice).toMatchObject({ name: INVOICE.signature, value: chosen });
});

test('Code that cannot be read is told with line and column, in the list and in place of fields', async ({
	runner,
	prepare,
}) => {
	runner.analysis = { findings: [{ ...BROKEN, severity: 'warning', line: 1 }, BROKEN] };

	const [only] = await prepare().functions();
	const { fields, emptyFieldsNotice } = await prepare().fields();

	expect(only).toEqual({
		name: 'The code cannot be read',
		value: '',
		description: "Line 3, column 7: '(' was never closed.",
	});
	expect([fields, emptyFieldsNotice]).toEqual([
		[],
		"Line 3, column 7: '(' was never closed. Close it.",
	]);
});

test('What is wrong in code that can be read stands in the list, and hides nothing', async ({
	runner,
	prepare,
}) => {
	runner.analysis = { ...ONE, findings: [{ ...BROKEN, message: 'Undefined name `x`.' }] };

	const [automatic] = await prepare().functions();
	const { fields } = await prepare().fields();

	expect(automatic?.description).toMatch(/ Line 3, column 7: Undefined name `x`\.$/);
	expect(visible(fields)).toHaveLength(2);
});

test('Each parameter has a field that says its type and its default', async ({
	runner,
	prepare,
}) => {
	runner.analysis = TWO;

	const ofInvoice = await prepare({ function: 'invoice(order: Order)' }).fields();
	const ofPrice = await prepare({ function: 'price' }).fields();

	expect(visible(ofInvoice.fields).map((field) => field.displayName)).toEqual([
		'order: Order, required',
		'vat: float = 0.19 · the rate',
	]);
	expect(visible(ofPrice.fields).map((field) => field.displayName)).toEqual([
		'item: str (inferred), required',
	]);
});

test('No field is required: the item may bring the value', async ({ runner, prepare }) => {
	runner.analysis = ONE;

	const { fields } = await prepare().fields();

	expect(fields.every((field) => !field.required)).toBe(true);
});

const CODE = `
from enum import Enum

class Size(str, Enum):
    # the two that we have
    SMALL = "s"
    LARGE = 'l'  # and no other

    def shown(self): return f"{self.value}"

class Level(Enum):
    LOW = auto()

class Order:
    size = "none"
`;

const UNSET = ['(From the Item or the Default)', ''];

test.for<[string, ...unknown[]]>([
	['int', 'number'],
	['float | None', 'number'],
	['Optional[int]', 'number'],
	['Union[int, float]', 'number'],
	['number', 'number'],
	['Annotated[int, Field(gt=0)]', 'number'],
	['str', 'string'],
	['"str"', 'string'],
	['datetime.datetime', 'dateTime'],
	['date', 'string'],
	['Decimal', 'string'],
	['uuid.UUID', 'string'],
	['', undefined],
	['Any', undefined],
	['int | str', undefined],
	['list[int]', undefined],
	['dict[str, list[int]] | None', undefined],
	['pandas.DataFrame', undefined],
	['Order', undefined],
	['Level', undefined],
	['None', undefined],
	['bool', 'options', UNSET, ['True', true], ['False', false]],
	['bool | None', 'options', UNSET, ['True', true], ['False', false]],
	['Literal["a, b", 2, True]', 'options', UNSET, ['a, b', 'a, b'], ['2', 2], ['True', true]],
	['Literal[""]', 'options', UNSET, ['(Empty Text)', '']],
	["Optional[typing.Literal['a']]", 'options', UNSET, ['a', 'a']],
	['Literal[Size.SMALL]', undefined],
	['Size', 'options', UNSET, ['s', 's'], ['l', 'l']],
])('%s has a field of the kind %s', async ([type, kind, ...choices], { runner, prepare }) => {
	runner.analysis = { functions: [{ ...PRICE, params: [parameter('x', type)] }], entry: 'price' };

	const [field] = visible((await prepare({ code: CODE }).fields()).fields);

	expect(field?.type).toEqual(kind);
	expect(field?.options?.map(({ name, value }) => [name, value]) ?? []).toEqual(choices);
});

test.for<[string, Partial<Analysis>, string]>([
	['', TWO, 'The code has several functions: choose the one to call above.'],
	['', {}, 'The code has no function yet.'],
	['gone(a: int)', TWO, 'The code has no function gone: choose another.'],
	['', { script: 'native' }, 'The code is a script: it reads the items itself.'],
	['', { functions: [{ ...PRICE, name: 'f', params: [] }], entry: 'f' }, 'f takes no parameters.'],
])('With "%s" and no field to show, a sentence says why', async (row, { runner, prepare }) => {
	const [chosen, analysis, sentence] = row;
	runner.analysis = analysis;

	const found = await prepare({ function: chosen }).fields();

	expect(found).toEqual({ fields: [], emptyFieldsNotice: sentence });
});

test('The signature for which arguments are given is kept while there are any', async ({
	runner,
	prepare,
}) => {
	runner.analysis = ONE;
	const code = 'def invoice(order: Order, vat: float = 0.19) -> dict: ...';
	const schema = [{ id: '$signature', displayName: 'as it was', display: false }];
	const stampOf = async (mapper: object) =>
		(await prepare({ code, arguments: mapper as never }).fields()).fields
			.filter((field) => !field.display)
			.map((field) => field.displayName);

	expect(await stampOf({ value: null, schema })).toEqual([INVOICE.signature]);
	expect(await stampOf({ value: { vat: 1 }, schema })).toEqual(['as it was']);
	expect(await stampOf({ value: { vat: 1 } })).toEqual([]);
});

test('A runner that is not there is a sentence in the panel', async ({ runner, prepare }) => {
	const context = prepare();
	const sentence = `The Qflow runner at ${runner.url} does not answer`;
	await runner.stop();

	await expect(context.functions()).rejects.toThrow(sentence);
	await expect(context.fields()).rejects.toThrow(sentence);
});

test('A runner that is too old for the panel is told as such', async ({ runner, prepare }) => {
	runner.analysis = Response.problem({ status: 404, code: 'not_found', detail: 'No such page.' });

	await expect(prepare().functions()).rejects.toThrow('it is older than the node');
});

test('A refusal is told in its own words', async ({ runner, prepare }) => {
	runner.analysis = Response.problem({ status: 422, detail: 'There is no Python 2.7.' });

	await expect(prepare().functions()).rejects.toThrow('There is no Python 2.7.');
});

test('The editor still works with arguments that are there', async ({ runner, prepare }) => {
	runner.analysis = ONE;

	const { fields } = await prepare(withArguments({ vat: 0.07 })).fields();

	expect(visible(fields)).toHaveLength(2);
});

test.for<[string, Partial<Analysis>]>([
	['None: the code needs no packages', {}],
	['pandas>=2, rich', ONE],
	[
		'pandas>=2 (header), pillow (import PIL)',
		{
			requirements: [
				{ requirement: 'pandas>=2', source: 'header', module: '' },
				{ requirement: 'pillow', source: 'import', module: 'PIL' },
			],
		},
	],
	['The code cannot be read', { findings: [BROKEN] }],
])(
	'The packages in use are shown with where they are asked for: %s',
	async (row, { runner, prepare }) => {
		const [name, analysis] = row;
		runner.analysis = analysis;

		expect(await prepare().packages()).toEqual([{ name, value: '' }]);
	},
);

function visible(fields: ResourceMapperField[]): ResourceMapperField[] {
	return fields.filter((field) => field.display);
}
