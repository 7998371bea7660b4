import type { INodeProperties } from 'n8n-workflow';

const EXAMPLE = `def describe(item: dict) -> dict:
    """Count the fields of an item and list their names."""
    return {"fields": len(item), "names": ", ".join(item)}
`;

const code: INodeProperties = {
	displayName: 'Python Code',
	name: 'code',
	type: 'string',
	typeOptions: { editor: 'codeNodeEditor', editorLanguage: 'python' },
	default: EXAMPLE,
	required: true,
	noDataExpression: true,
	description:
		'Python that defines at least one function. What the function returns becomes items: one ' +
		'per element of a list, one for anything else.',
};

const functionName: INodeProperties = {
	displayName: 'Function',
	name: 'function',
	type: 'string',
	default: '',
	placeholder: 'main',
	noDataExpression: true,
	description:
		'Name of the function to call. Leave it empty to call the only function of the code, or ' +
		'the one named main.',
};

const functionArguments: INodeProperties = {
	displayName: 'Arguments',
	name: 'arguments',
	type: 'fixedCollection',
	typeOptions: { multipleValues: true },
	default: {},
	placeholder: 'Add Argument',
	description:
		'Values for parameters of the function. A parameter that is not named here takes the ' +
		'field of the item with its name, or its default.',
	options: [
		{
			displayName: 'Argument',
			name: 'argument',
			values: [
				{
					displayName: 'Name',
					name: 'name',
					type: 'string',
					default: '',
					description: 'The parameter as the function names it',
				},
				{
					displayName: 'Value',
					name: 'value',
					type: 'string',
					default: '',
					description:
						'An expression may give a value of any type. Fixed text that is a JSON number, true, ' +
						'false, null, list or object is sent as that value; any other is sent as text. To send 42' +
						' as text, use an expression: {{ "42" }}.',
				},
			],
		},
	],
};

const mode: INodeProperties = {
	displayName: 'Run',
	name: 'mode',
	type: 'options',
	noDataExpression: true,
	default: 'auto',
	description: 'How often the function is called',
	options: [
		{
			name: 'Auto',
			value: 'auto',
			description:
				'Once for all items if the first free parameter takes many rows (list, DataFrame), else ' +
				'once for each item',
		},
		{
			name: 'Once for All Items',
			value: 'all',
			description: 'The function is called once. Expressions see the first item.',
		},
		{
			name: 'Once for Each Item',
			value: 'item',
			description: 'The function is called with each item, in order',
		},
	],
};

const PYTHONS = ['3.13', '3.12', '3.11', '3.10', '3.9', '3.8'];

const options: INodeProperties = {
	displayName: 'Options',
	name: 'options',
	type: 'collection',
	default: {},
	placeholder: 'Add Option',
	options: [
		{
			displayName: 'Python Version',
			name: 'python',
			type: 'options',
			default: '3.12',
			noDataExpression: true,
			description: 'Version of Python that runs the code',
			options: PYTHONS.map((version) => ({ name: `Python ${version}`, value: version })),
		},
		{
			displayName: 'Time Limit (Seconds)',
			name: 'timeout',
			type: 'number',
			typeOptions: { minValue: 1 },
			default: 30,
			description: 'How long the code may run, for all items together, before it is stopped',
		},
	],
};

export const properties: INodeProperties[] = [code, functionName, functionArguments, mode, options];
