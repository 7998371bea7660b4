import type {
	Icon,
	ICredentialDataDecryptedObject,
	ICredentialTestRequest,
	ICredentialType,
	IHttpRequestOptions,
	INodeProperties,
} from 'n8n-workflow';

export class QflowApi implements ICredentialType {
	name = 'qflowApi';

	displayName = 'Qflow API';

	icon: Icon = { light: 'file:../icons/qflow.svg', dark: 'file:../icons/qflow.dark.svg' };

	documentationUrl =
		'https://github.com/qflow-project/qflow/tree/main/n8n-nodes-qflow?tab=readme-ov-file#credentials';

	properties: INodeProperties[] = [
		{
			displayName: 'Runner URL',
			name: 'url',
			type: 'string',
			default: 'http://127.0.0.1:8717',
			required: true,
			placeholder: 'http://127.0.0.1:8717',
			description: 'Address of the Qflow runner, as seen from the machine that n8n runs on',
		},
		{
			displayName: 'Token',
			name: 'token',
			type: 'string',
			typeOptions: { password: true },
			default: '',
			required: true,
			description:
				'A token with the scope "n8n" (qflow token create), or the one that the runner was started with (QFLOW_TOKEN)',
		},
		{
			displayName: 'Ignore SSL Issues (Insecure)',
			name: 'ignoreSslIssues',
			type: 'boolean',
			default: false,
			description:
				'Whether to connect even if the certificate of the runner cannot be checked. Better: give n8n its authority with NODE_EXTRA_CA_CERTS.',
		},
	];

	// A function, so that the node need not read the credential a second time to learn the runner's address:
	// n8n fetches and decrypts it from its database each time.
	authenticate = async (
		credentials: ICredentialDataDecryptedObject,
		request: IHttpRequestOptions,
	): Promise<IHttpRequestOptions> => ({
		...request,
		baseURL: String(credentials.url).trim().replace(/\/+$/, ''),
		headers: { ...request.headers, Authorization: `Bearer ${String(credentials.token).trim()}` },
		...(credentials.ignoreSslIssues === true && { skipSslCertificateValidation: true }),
	});

	test: ICredentialTestRequest = {
		request: { baseURL: '={{$credentials.url}}', url: '/v1/sandboxes' },
	};
}
