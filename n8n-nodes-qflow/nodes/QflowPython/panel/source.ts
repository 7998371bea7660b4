import type { INodeProperties } from 'n8n-workflow';

import { fields } from '../wires';

const EXAMPLE = `def describe(item: dict) -> dict:
    """Count the fields of an item and list their names."""
    return {"fields": len(item), "names": ", ".join(item)}
`;

/** A script is called with the items as they are: it has no function and no parameters. */
const FUNCTIONS_ONLY = { hide: { mode: ['script'] } };

/** What decides which code the node runs. */
export const CODE = ['source', 'code', 'savedName.value', 'savedVersion'];

/** Apart from its list: n8n's linter would have "Function Name or ID", and a function has no ID. */
const FROM_CODE = { loadOptionsMethod: 'getFunctions', loadOptionsDependsOn: CODE };

const source: INodeProperties = {
	displayName: 'Source',
	name: 'source',
	type: 'options',
	noDataExpression: true,
	default: 'code',
	description: 'Where the code is',
	options: [
		{
			name: 'Code Here',
			value: 'code',
			description: 'The code is in this node',
		},
		{
			name: 'Saved Definition',
			value: 'saved',
			description: 'The runner has it under a name, and several nodes may share it',
		},
	],
};

const code: INodeProperties = {
	displayName: 'Python Code',
	name: 'code',
	type: 'string',
	typeOptions: { editor: 'codeNodeEditor', editorLanguage: 'python' },
	default: EXAMPLE,
	required: true,
	displayOptions: { show: { source: ['code'] } },
	noDataExpression: true,
	description:
		'Python that defines at least one function. What the function returns becomes items: one ' +
		'per element of a list, one for anything else.',
};

const savedName: INodeProperties = {
	displayName: 'Definition',
	name: 'savedName',
	type: 'resourceLocator',
	default: { mode: 'list', value: '' },
	required: true,
	displayOptions: { show: { source: ['saved'] } },
	description: 'The saved definition to run',
	modes: [
		{
			displayName: 'From List',
			name: 'list',
			type: 'list',
			placeholder: 'Choose a definition',
			typeOptions: { searchListMethod: 'searchSaved', searchable: true },
		},
		{
			displayName: 'By Name',
			name: 'name',
			type: 'string',
			placeholder: 'invoice',
		},
	],
};

const savedVersion: INodeProperties = {
	displayName: 'Version',
	name: 'savedVersion',
	type: 'string',
	default: '',
	placeholder: 'Newest',
	displayOptions: { show: { source: ['saved'] } },
	description:
		'The version to run. Leave it empty to run the newest, which a node takes up within seconds of its being saved.',
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

export const sourceProperties: INodeProperties[] = [
	source,
	code,
	savedName,
	savedVersion,
	functionName,
	fieldsInUse,
	functionArguments,
];
