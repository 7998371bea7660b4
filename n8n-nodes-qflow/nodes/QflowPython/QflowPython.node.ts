import type {
	IExecuteFunctions,
	INodeExecutionData,
	INodeType,
	INodeTypeDescription,
} from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import type { Mode } from './api';
import { failedItems } from './items';
import { getFunctions, getParameters } from './methods';
import { showFailure } from './output';
import { getPackages } from './packages';
import { properties } from './properties';
import { runPython } from './run';
import { searchSaved } from './saved';
import { testSecrets } from './secrets';
import { isCancelled } from './transport';
import { inputs, outputs, subtitle } from './wires';

export class QflowPython implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Qflow Python',
		name: 'qflowPython',
		icon: { light: 'file:../../icons/qflow.svg', dark: 'file:../../icons/qflow.dark.svg' },
		group: ['transform'],
		version: 1,
		subtitle,
		description: 'Run a typed Python function on the items, in a sandbox',
		defaults: { name: 'Qflow Python' },
		usableAsTool: true,
		inputs,
		outputs,
		credentials: [
			{ name: 'qflowApi', required: true },
			{
				name: 'qflowSecretsApi',
				displayName: 'Secrets',
				required: false,
				testedBy: 'testSecrets',
				// Asked for, because n8n gives a new node the newest credential of all the types that it shows,
				// which would be that of the runner or one with secrets.
				displayOptions: { show: { '/options.useSecrets': [true] } },
			},
		],
		parameterPane: 'wide',
		properties,
	};

	methods = {
		credentialTest: { testSecrets },
		loadOptions: { getFunctions, getPackages },
		listSearch: { searchSaved },
		resourceMapping: { getParameters },
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const node = this.getNode();
		try {
			return [await runPython(this, node)];
		} catch (error) {
			const failure = new NodeOperationError(node, error as Error);
			if (!this.continueOnFail() || isCancelled(this)) throw failure;
			showFailure(this, failure.message, failure.description);
			const mode = this.getNodeParameter('mode', 0, 'auto') as Mode;
			return [failedItems(node, this.getInputData(), failure.message, mode)];
		}
	}
}
