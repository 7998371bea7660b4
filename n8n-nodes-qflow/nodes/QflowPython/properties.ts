import type { INodeProperties } from 'n8n-workflow';

import { fields } from './wires';

const EXAMPLE = `def describe(item: dict) -> dict:
    """Count the fields of an item and list their names."""
    return {"fields": len(item), "names": ", ".join(item)}
`;

/** A script is called with the items as they are: it has no function and no parameters. */
const FUNCTIONS_ONLY = { hide: { mode: ['script'] } };

/** Apart from its list: n8n's linter would have "Function Name or ID", and a function has no ID. */
const FROM_CODE = { loadOptionsMethod: 'getFunctions', loadOptionsDependsOn: ['code'] };

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
	type: 'options',
	typeOptions: FROM_CODE,
	default: '',
	noDataExpression: true,
	displayOptions: FUNCTIONS_ONLY,
	description: 'The function to call, with what it takes and gives',
};

/** Never stored: it tells n8n when to ask for the fields of the arguments again. */
const fieldsInUse: INodeProperties = {
	displayName: 'Fields',
	name: 'fields',
	type: 'hidden',
	default: fields,
	displayOptions: FUNCTIONS_ONLY,
};

const functionArguments: INodeProperties = {
	displayName: 'Arguments',
	name: 'arguments',
	type: 'resourceMapper',
	noDataExpression: true,
	default: { mappingMode: 'defineBelow', value: null },
	displayOptions: FUNCTIONS_ONLY,
	typeOptions: {
		loadOptionsDependsOn: ['function', 'fields'],
		resourceMapper: {
			resourceMapperMethod: 'getParameters',
			mode: 'map',
			valuesLabel: 'Arguments',
			fieldWords: { singular: 'argument', plural: 'arguments' },
			addAllFields: true,
			supportAutoMap: false,
			refreshStaleSchemaOnOpen: true,
		},
	},
	description:
		'Values for the parameters of the function. An empty one takes the item, the field of the item ' +
		'with its name, or its default.',
};

const requirements: INodeProperties = {
	displayName: 'Requirements',
	name: 'requirements',
	type: 'string',
	typeOptions: { rows: 2 },
	default: '',
	placeholder: 'From the imports',
	description:
		'Packages to install, one a line, as in <code>pandas&gt;=2</code>. Leave it empty to install what the code imports; the list of functions says what was found.',
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
		{
			name: 'Script',
			value: 'script',
			description:
				'The code has no function to call: it was written for n8n’s own Python node and reads ' +
				'<code>_items</code> or <code>_item</code>',
		},
	],
};

const output: INodeProperties = {
	displayName: 'Output',
	name: 'output',
	type: 'options',
	noDataExpression: true,
	default: 'auto',
	description: 'How the result leaves the function',
	options: [
		{
			name: 'Auto',
			value: 'auto',
			description: 'As suits the result and the nodes that follow',
		},
		{
			name: 'Items',
			value: 'items',
			description: 'Always as items of n8n',
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
		{
			displayName: 'Validation',
			name: 'validation',
			type: 'options',
			default: 'strict',
			noDataExpression: true,
			description: 'Whether arguments and results are held to the types in the code',
			options: [
				{
					name: 'Strict',
					value: 'strict',
					description: 'Only conversions that lose nothing',
				},
				{
					name: 'Coerce',
					value: 'coerce',
					description: 'Values are converted where they can be, "42" to an int for example',
				},
				{
					name: 'Off',
					value: 'off',
					description: 'Values pass as they are, and links are not checked',
				},
			],
		},
	],
};

export const properties: INodeProperties[] = [
	code,
	functionName,
	fieldsInUse,
	functionArguments,
	requirements,
	mode,
	output,
	options,
];
