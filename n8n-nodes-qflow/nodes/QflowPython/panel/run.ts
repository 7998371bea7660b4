import type { INodeProperties } from 'n8n-workflow';

import { CODE } from './source';

const requirements: INodeProperties = {
	displayName: 'Requirements',
	name: 'requirements',
	type: 'string',
	typeOptions: { rows: 2 },
	default: '',
	placeholder: 'From the imports',
	description:
		'Packages to install before the first run, one a line, as in <code>pandas&gt;=2</code>. Leave it empty to install what the code asks for.',
};

/** Apart from its list, as with that of the functions: a list of packages has no ID. */
const FROM_CODE = { loadOptionsMethod: 'getPackages', loadOptionsDependsOn: CODE };

/** A list with one entry, because nothing else in a panel can show what only the runner knows. */
const packages: INodeProperties = {
	displayName: 'Packages in Use',
	name: 'packages',
	type: 'options',
	typeOptions: FROM_CODE,
	default: '',
	noDataExpression: true,
	displayOptions: { show: { requirements: [''] } },
	description: 'What is installed while no requirements are listed, and where the code asks for it',
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
			description:
				'Items for n8n’s own nodes. Where Qflow nodes alone follow, a table or another object is ' +
				'handed on as it is.',
		},
		{
			name: 'Items',
			value: 'items',
			description: 'Always as items of n8n',
		},
		{
			name: 'Reference',
			value: 'reference',
			description:
				'The object stays in the sandbox. Qflow nodes that follow get the object itself, any other ' +
				'sees a preview.',
		},
	],
};

export const runProperties: INodeProperties[] = [requirements, packages, mode, output];
