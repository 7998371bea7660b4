import type {
	ICredentialsDecrypted,
	ICredentialTestFunctions,
	IExecuteFunctions,
	INode,
	INodeCredentialTestResult,
} from 'n8n-workflow';

import { isRecord, sentence } from './errors';

const CREDENTIAL = 'qflowSecretsApi';

export type Secrets = Record<string, string>;

/** What is wrong, and what to do. Neither quotes what was written: it may be a secret. */
type Fault = [message: string, hint: string];

/** The secrets of the node's credential, by name; undefined where none is asked for or chosen. Throws NodeOperationError. */
export async function readSecrets(
	context: IExecuteFunctions,
	node: INode,
): Promise<Secrets | undefined> {
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
	const count = Object.keys(secrets).length;
	return { status: 'OK', message: count === 1 ? '1 secret' : `${count} secrets` };
}

/** `written` is JSON text, or what an expression made of it. */
function parseSecrets(written: unknown): Secrets | Fault {
	const parsed = typeof written === 'string' ? parse(written) : (written ?? {});
	if (!isRecord(parsed)) {
		return [
			'The secrets in the credential are not a JSON object',
			'Write names and values as in { "api_key": "…" }, each in double quotes.',
		];
	}
	const other = Object.keys(parsed).find((name) => typeof parsed[name] !== 'string');
	if (other !== undefined) {
		return [
			`The secret "${other}" in the credential is not a text`,
			'Put its value in double quotes.',
		];
	}
	return parsed as Secrets;
}

function parse(text: string): unknown {
	if (text.trim() === '') return {};
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}
