import type { INodeProperties } from 'n8n-workflow';

const PYTHONS = ['3.13', '3.12', '3.11', '3.10', '3.9', '3.8'];

export const options: INodeProperties = {
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
