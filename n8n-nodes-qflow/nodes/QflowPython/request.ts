import type { IExecuteFunctions, INode } from 'n8n-workflow';
import { randomUUID } from 'crypto';

import type { Definition, Mode, Output, SavedRef } from './api';
import { sentence } from './errors';
import { readOptions } from './options';
import { functionName, requirementLines } from './parameters';

export const DEFAULT_TIMEOUT_S = 30;

/** The longest name that the runner takes. */
const NAME_LENGTH = 200;

/** Whose run it is. Runs of one workflow share a sandbox, and those of one execution a session in it. */
export interface Place {
	workflow: string;
	execution: string;
}

export function readPlace(context: IExecuteFunctions): Place {
	return {
		workflow: context.getWorkflow().id ?? randomUUID(),
		execution: context.getExecutionId() ?? randomUUID(),
	};
}

export function readQuery(
	context: IExecuteFunctions,
	node: INode,
	place: Place,
	keep: boolean,
	bounds: readonly string[] = [],
): string {
	return new URLSearchParams({
		...place,
		node: Array.from(node.name).slice(0, NAME_LENGTH).join(''),
		on_error: context.continueOnFail() ? 'continue' : 'stop',
		...(keep ? { keep: '1' } : {}),
		...(bounds.length === 0 ? {} : { bound: bounds.join(';') }),
	}).toString();
}

/** What the node's parameters say. Throws NodeOperationError where that is nothing to run. */
export function readDefinition(context: IExecuteFunctions, node: INode): Definition {
	const name = functionName(context.getNodeParameter('function', 0, ''));
	const requirements = requirementLines(context.getNodeParameter('requirements', 0, ''));
	const options = readOptions(context, node);
	const mode = context.getNodeParameter('mode', 0, 'auto') as Mode;
	const output = context.getNodeParameter('output', 0, 'auto') as Output;
	const chosen = {
		...(name === '' ? {} : { function: name }),
		...(requirements.length === 0 ? {} : { requirements }),
	};
	if (context.getNodeParameter('source', 0, 'code') === 'saved') {
		// What the node leaves open is as it was saved.
		return {
			saved: readSaved(context, node),
			...chosen,
			...(mode === 'auto' ? {} : { mode }),
			...(output === 'auto' ? {} : { output }),
			...options,
		};
	}
	const code = context.getNodeParameter('code', 0) as string;
	if (code.trim() === '') {
		throw sentence(node, 'The node has no Python code', 'Write a function in "Python Code".');
	}
	return {
		code,
		...chosen,
		python: '3.12',
		mode,
		output,
		validation: 'strict',
		timeout_s: DEFAULT_TIMEOUT_S,
		...options,
	};
}

function readSaved(context: IExecuteFunctions, node: INode): SavedRef {
	const given = context.getNodeParameter('savedName', 0, '', { extractValue: true });
	const name = String(given ?? '').trim();
	if (name === '') {
		throw sentence(node, 'No saved definition is chosen', 'Choose one in "Definition".');
	}
	const version = String(context.getNodeParameter('savedVersion', 0, '') ?? '').trim();
	if (version === '') return { name };
	if (!/^[1-9]\d{0,8}$/.test(version)) {
		throw sentence(
			node,
			`"${version}" is not the version of a saved definition`,
			'Versions are numbers from 1. Leave it empty for the newest.',
		);
	}
	return { name, version: Number(version) };
}
