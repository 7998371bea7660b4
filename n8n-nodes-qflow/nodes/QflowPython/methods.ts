import type {
	ILoadOptionsFunctions,
	INodeParameters,
	INodePropertyOptions,
	ResourceMapperField,
	ResourceMapperFields,
	ResourceMapperValue,
} from 'n8n-workflow';

import { analyse, described, functionInUse, syntaxError } from './analysis';
import type { Analysis, PythonFunction } from './api';
import { fieldOf } from './fields';
import { toHtml } from './html';
import { functionName, isSaved } from './parameters';
import { STAMP, wires } from './wires';

/** How many findings stand in the list; the first are those that matter most. */
const FINDINGS = 3;

/** The functions of the code, and what is called when none is chosen. */
export async function getFunctions(this: ILoadOptionsFunctions): Promise<INodePropertyOptions[]> {
	const analysis = await analyse(this);
	if (typeof analysis === 'string') return [{ name: 'None', value: '', description: analysis }];
	const chosen = this.getCurrentNodeParameter('function');
	const error = syntaxError(analysis);
	const automatic = {
		name: error === undefined ? automaticName(analysis) : 'The code cannot be read',
		value: '',
		description: error === undefined ? automaticDescription(analysis) : described(error),
	};
	return [automatic, ...analysis.functions.map((each) => option(each, chosen))];
}

/** One field for each parameter of the function in use, or why there is none. */
export async function getParameters(this: ILoadOptionsFunctions): Promise<ResourceMapperFields> {
	const analysis = await analyse(this);
	if (typeof analysis === 'string') return { fields: [], emptyFieldsNotice: toHtml(analysis) };
	const chosen = this.getCurrentNodeParameter('function');
	const used = functionInUse(analysis, chosen);
	if (used === undefined || used.params.length === 0) {
		return { fields: [], emptyFieldsNotice: toHtml(whyNoFields(analysis, chosen, used)) };
	}
	const fields = used.params.map((each) => fieldOf(each, analysis.code));
	return { fields: [...fields, ...stamp(this.getCurrentNodeParameters() ?? {}, used)] };
}

/**
 * A function keeps the value that the workflow has for it when only its signature changed: n8n would
 * call any other value unknown, and choosing it anew would empty the arguments.
 */
function option({ name, signature, doc }: PythonFunction, chosen: unknown): INodePropertyOptions {
	const value = functionName(chosen) === name ? String(chosen) : signature;
	const summary = doc.split('\n')[0]?.trim();
	return { name: signature, value, ...(summary ? { description: summary } : {}) };
}

function automaticName(analysis: Analysis): string {
	const { entry, functions, script } = analysis;
	if (script) return 'Automatic: the code is a script';
	const called = functionInUse(analysis, '');
	if (called !== undefined) return `Automatic: ${called.signature}`;
	return entry || functions.length > 0 ? 'None chosen' : 'The code has no function';
}

function automaticDescription(analysis: Analysis): string {
	const { functions, entry, script, findings } = analysis;
	const which =
		entry || script || functions.length === 0
			? 'The only function, or the one named main.'
			: 'There are several functions and none is named main: choose one.';
	return [which, ...findings.slice(0, FINDINGS).map(described)].join(' ');
}

function whyNoFields(
	analysis: Analysis,
	chosen: unknown,
	used: PythonFunction | undefined,
): string {
	const error = syntaxError(analysis);
	if (error !== undefined) return `${described(error)} ${error.hint}`.trim();
	if (used !== undefined) return `${used.name} takes no parameters.`;
	if (analysis.script) return 'The code is a script: it reads the items itself.';
	if (functionName(chosen))
		return `The code has no function ${functionName(chosen)}: choose another.`;
	return analysis.functions.length > 0
		? 'The code has several functions: choose the one to call above.'
		: 'The code has no function yet.';
}

/**
 * The invisible field that keeps a signature.
 *
 * With code of the node's own it is the one for which the arguments were given, and with arguments it
 * stays as it is, also absent: n8n would empty them if it changed. With a saved definition it is what the
 * canvas knows of it.
 */
function stamp(parameters: INodeParameters, used: PythonFunction): ResourceMapperField[] {
	if (isSaved(parameters)) return [stampOf(used.signature)];
	const mapper = parameters.arguments as Partial<ResourceMapperValue> | null | undefined;
	if (Object.keys(mapper?.value ?? {}).length > 0) {
		return mapper?.schema?.filter((field) => field.id === STAMP) ?? [];
	}
	return [stampOf(wires({ ...parameters, toJSON: () => parameters }).signature)];
}

function stampOf(signature: string): ResourceMapperField {
	return {
		id: STAMP,
		displayName: signature,
		required: false,
		defaultMatch: false,
		display: false,
	};
}
