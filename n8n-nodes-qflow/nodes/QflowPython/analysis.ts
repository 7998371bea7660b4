import type { ILoadOptionsFunctions } from 'n8n-workflow';

import type { Analysis, Finding, PythonFunction } from './api';
import { isProblem, sentence } from './errors';
import { functionName, isSaved } from './parameters';
import { readSaved } from './saved';
import { call } from './transport';

/** The runner answers within two seconds whatever the code; the rest is the way there. */
const TIMEOUT_MS = 10_000;

/** Code that was looked at, and the packages that are listed with it. */
export interface Analysed extends Analysis {
	code: string;
	listed: string[];
}

/**
 * What the runner finds in the code that the node runs, without running it, or a sentence where there is
 * no code to look at. Throws NodeOperationError.
 */
export async function analyse(context: ILoadOptionsFunctions): Promise<Analysed | string> {
	if (isSaved({ source: context.getCurrentNodeParameter('source') })) {
		const saved = await readSaved(context);
		if (typeof saved === 'string') return saved;
		const { analysis, content } = saved;
		const entry = saved.function || analysis.entry;
		return { ...analysis, entry, code: content.code, listed: content.requirements };
	}
	const node = context.getNode();
	const options = context.getCurrentNodeParameter('options') as { python?: string } | undefined;
	const code = String(context.getCurrentNodeParameter('code') ?? '');
	const { status, body } = await call(context, node, {
		method: 'POST',
		path: '/v1/analyze',
		body: Buffer.from(JSON.stringify({ code, ...(options?.python && { python: options.python }) })),
		timeoutMs: TIMEOUT_MS,
	});
	if (status === 200 && Array.isArray(body.functions)) {
		return { ...(body as unknown as Analysis), code, listed: [] };
	}
	if (status !== 404 && isProblem(body)) throw sentence(node, body.detail, body.hint ?? '');
	throw sentence(
		node,
		'This Qflow runner cannot read code for the editor: it is older than the node',
		'Update the runner. Until then, the node runs as before.',
	);
}

/** The function that the node calls, if it is clear which. */
export function functionInUse(analysis: Analysis, chosen: unknown): PythonFunction | undefined {
	const name = functionName(chosen) || analysis.entry;
	return analysis.functions.find((each) => each.name === name);
}

/** Why nothing can be said of the code, if nothing can: Python cannot read it. */
export function syntaxError({ functions, script, findings }: Analysis): Finding | undefined {
	if (functions.length > 0 || script) return undefined;
	return findings.find((each) => each.severity === 'error');
}

/** `Line 3, column 5: invalid syntax.` */
export function described({ line, column, message }: Finding): string {
	return `Line ${line}, column ${column}: ${message.replace(/\.$/, '')}.`;
}
