import type {
	ICredentialsDecrypted,
	ICredentialTestFunctions,
	IExecuteFunctions,
	INode,
	INodeCredentialTestResult,
} from 'n8n-workflow';

import { isRecord, sentence } from './errors';
import { hostLines } from './options';

const CREDENTIAL = 'qflowSecretsApi';

export type Secrets = Record<string, string>;

/** `bounds`: for each secret that is bound to hosts, those, separated by commas. */
export interface Given {
	values: Secrets;
	bounds: string[];
}

/** What is wrong, and what to do. Neither quotes what was written: it may be a secret. */
type Fault = [message: string, hint: string];

/** The secrets of the node's credential, by name; undefined where none is asked for or chosen. Throws NodeOperationError. */
export async function readSecrets(
	context: IExecuteFunctions,
	node: INode,
): Promise<Given | undefined> {
	const { useSecrets } = context.getNodeParameter('options', 0, {}) as { useSecrets?: boolean };
	if (useSecrets !== true || node.credentials?.[CREDENTIAL] === undefined) return undefined;
	const { values } = await context.getCredentials<{ values?: unknown }>(CREDENTIAL);
	const secrets = parseSecrets(values);
	if (Array.isArray(secrets)) throw sentence(node, ...secrets);
	return secrets;
}

/** What a person is told who saves or tests the credential. */
export async function testSecrets(
	this: ICredentialTestFunctions,
	credential: ICredentialsDecrypted,
): Promise<INodeCredentialTestResult> {
	const secrets = parseSecrets(credential.data?.values);
	if (Array.isArray(secrets)) return { status: 'Error', message: secrets.join('. ') };
	const count = Object.keys(secrets.values).length;
	const bound = secrets.bounds.length;
	const counted = count === 1 ? '1 secret' : `${count} secrets`;
	return { status: 'OK', message: bound === 0 ? counted : `${counted}, ${bound} bound to hosts` };
}

/** `written` is JSON text, or what an expression made of it. */
function parseSecrets(written: unknown): Given | Fault {
	const parsed = typeof written === 'string' ? parse(written) : (written ?? {});
	if (!isRecord(parsed)) {
		return [
			'The secrets in the credential are not a JSON object',
			'Write names and values as in { "api_key": "…" }, each in double quotes.',
		];
	}
	const given: Array<[string, string]> = [];
	const bounds: string[] = [];
	for (const [name, written] of Object.entries(parsed)) {
		const { value, hosts } = isRecord(written) ? written : { value: written, hosts: undefined };
		if (typeof value !== 'string') {
			return [
				`The secret "${name}" in the credential is not a text`,
				'Put its value in double quotes.',
			];
		}
		if (isRecord(written)) {
			const lines = typeof hosts === 'string' ? hostLines(hosts) : [];
			if (lines.length === 0) {
				return [
					`The secret "${name}" in the credential names no hosts that it is bound to`,
					'Write { "value": "…", "hosts": "api.example.org:443" }, or the value alone.',
				];
			}
			bounds.push(lines.join(','));
		}
		given.push([name, value]);
	}
	return { values: Object.fromEntries(given), bounds };
}

function parse(text: string): unknown {
	if (text.trim() === '') return {};
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}
