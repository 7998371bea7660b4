/** What CodeMirror does not know by itself: the names of qflow, and the types that links are judged by. */
import type { Completion, CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import { pythonLanguage } from '@codemirror/lang-python';
import type { Extension } from '@codemirror/state';
import { types } from '@/api/calls';

const QFLOW: Completion[] = [
	{ label: 'Context', type: 'class', detail: 'execution, logger, progress, secrets, cache, files' },
	{ label: 'File', type: 'class', detail: 'a file in or out' },
	{ label: 'Image', type: 'class', detail: 'a picture out' },
	{ label: 'Secret', type: 'class', detail: 'from the n8n credential' },
];

let known: Promise<Completion[]> | undefined;

function knownTypes(): Promise<Completion[]> {
	known ??= types({})
		.then((reply) =>
			reply.types.map((type): Completion => ({
				label: type.name,
				type: 'type',
				detail: type.group,
			})),
		)
		.catch(() => {
			known = undefined;
			return [];
		});
	return known;
}

async function complete(context: CompletionContext): Promise<CompletionResult | null> {
	const names = context.matchBefore(/from qflow import [\w, ]*/);
	const word = context.matchBefore(/[\w.]*/);
	const from = word?.from ?? context.pos;
	if (names) return { from, options: QFLOW, validFor: /^\w*$/ };
	if (context.matchBefore(/(?:\w\s*:|->)\s*[\w.]*$/)) {
		return { from, options: await knownTypes(), validFor: /^[\w.]*$/ };
	}
	return null;
}

export const completions: Extension[] = [pythonLanguage.data.of({ autocomplete: complete })];
