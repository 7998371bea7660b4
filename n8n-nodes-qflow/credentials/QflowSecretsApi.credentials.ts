import type { Icon, ICredentialType, INodeProperties } from 'n8n-workflow';

export class QflowSecretsApi implements ICredentialType {
	name = 'qflowSecretsApi';

	displayName = 'Qflow Secrets API';

	icon: Icon = { light: 'file:../icons/qflow.svg', dark: 'file:../icons/qflow.dark.svg' };

	documentationUrl =
		'https://github.com/qflow-project/qflow/tree/main/n8n-nodes-qflow?tab=readme-ov-file#secrets';

	// JSON, because n8n puts the values that it hid back by their names. In a list of fields it does so by
	// their positions: without the first, the second secret would get the first one's value.
	properties: INodeProperties[] = [
		{
			displayName: 'Secrets',
			name: 'values',
			type: 'json',
			typeOptions: { redactJsonLeaves: true, rows: 6 },
			default: '',
			placeholder: '{ "api_key": "…" }',
			description:
				'Names and values, as a JSON object of texts. The code gets them in parameters annotated ' +
				'<code>Secret</code>. Once saved, values show as ***. In place of a text, ' +
				'<code>{ "value": "…", "hosts": "api.example.com:443" }</code> binds a secret to hosts: ' +
				'its run is refused where the workflow reaches others.',
		},
	];
}
