import type { INodeProperties } from 'n8n-workflow';

/** Versions, with the month in which each gets its last security fix. */
const PYTHONS: ReadonlyArray<readonly [version: string, lastFix: string]> = [
	['3.13', '2029-10'],
	['3.12', '2028-10'],
	['3.11', '2027-10'],
	['3.10', '2026-10'],
	['3.9', '2025-10'],
	['3.8', '2024-10'],
];

const isOver = (month: string) => new Date().toISOString().slice(0, 7) >= month;

export const options: INodeProperties = {
	displayName: 'Options',
	name: 'options',
	type: 'collection',
	default: {},
	placeholder: 'Add Option',
	options: [
		{
			displayName: 'Cache Results For (Seconds)',
			name: 'cache',
			type: 'number',
			typeOptions: { minValue: 0, maxValue: 2_592_000 },
			default: 0,
			description:
				'How long a result answers the same input again, without running the code. 0 turns it off.',
		},
		{
			displayName: 'CPU',
			name: 'cpus',
			type: 'number',
			typeOptions: { minValue: 0.05, numberPrecision: 2 },
			default: 0.5,
			description:
				'How much CPU time the code gets per second, such as 0.5 or 2. Numeric libraries use as many threads.',
		},
		{
			displayName: 'Memory (MB)',
			name: 'memory',
			type: 'number',
			typeOptions: { minValue: 64, numberPrecision: 0 },
			default: 512,
			description:
				'How much memory the code and the objects of its execution may take before it is stopped',
		},
		{
			displayName: 'Network Access',
			name: 'network',
			type: 'string',
			typeOptions: { rows: 2 },
			default: '',
			placeholder: 'api.example.com:443, *.example.org:443',
			description:
				'Hosts that the code may reach, as host:port, separated by commas or lines. Code reaches nothing else. ' +
				'<code>*.example.org:443</code> is every name below it, for HTTP clients. All nodes of a workflow share ' +
				'what they list, and the administrator of the runner bounds it.',
		},
		{
			displayName: 'Parallel Items',
			name: 'parallel',
			type: 'number',
			typeOptions: { minValue: 1, maxValue: 64, numberPrecision: 0 },
			default: 1,
			description: 'How many items a function that is called once for each item works on at once',
		},
		{
			displayName: 'Python Version',
			name: 'python',
			type: 'options',
			default: '3.12',
			noDataExpression: true,
			description: 'Version of Python that runs the code',
			options: PYTHONS.map(([version, month]) => ({
				name: `Python ${version}${isOver(month) ? ' (End of Life)' : ''}`,
				value: version,
				description: isOver(month)
					? `No security fixes since ${month}`
					: `Security fixes until ${month}`,
			})),
		},
		{
			displayName: 'References Usable By',
			name: 'referenceScope',
			type: 'options',
			default: 'workflow',
			noDataExpression: true,
			description: 'Where the objects that this node hands on as references can be used',
			options: [
				{
					name: 'This Workflow',
					value: 'workflow',
					description: 'To any other workflow they stand for nothing',
				},
				{
					name: 'Other Workflows Too',
					value: 'runner',
					description: 'For a sub-workflow that is given them, for example',
				},
			],
		},
		{
			displayName: 'Safe to Run Twice',
			name: 'idempotent',
			type: 'boolean',
			default: false,
			noDataExpression: true,
			description:
				'Whether the code is run once more when its sandbox or session was lost. Turn it on where ' +
				'doing everything twice does no harm.',
		},
		{
			displayName: 'Shared Objects',
			name: 'sharing',
			type: 'options',
			default: 'copy',
			noDataExpression: true,
			description: 'What this node gets of the objects that come to it as references',
			options: [
				{
					name: 'A Copy for This Node',
					value: 'copy',
					description: 'What the code changes, no other node sees',
				},
				{
					name: 'The Object Itself',
					value: 'shared',
					description:
						'Nothing is copied, and what the code changes is seen by all nodes of the execution ' +
						'that take the object later, other branches too',
				},
			],
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
			displayName: 'Use Secrets',
			name: 'useSecrets',
			type: 'boolean',
			default: true,
			noDataExpression: true,
			description:
				'Whether the code gets secrets, in parameters annotated <code>Secret</code>. Choose their ' +
				'credential at the top of the panel.',
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
