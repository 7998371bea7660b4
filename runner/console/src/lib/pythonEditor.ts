/** CodeMirror for Python: everything that an editor of ours has, as extensions. */
import {
	autocompletion,
	closeBrackets,
	closeBracketsKeymap,
	completionKeymap,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { python } from '@codemirror/lang-python';
import {
	bracketMatching,
	HighlightStyle,
	indentOnInput,
	indentUnit,
	syntaxHighlighting,
} from '@codemirror/language';
import { lintKeymap } from '@codemirror/lint';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import {
	EditorState,
	type Extension,
	RangeSetBuilder,
	StateEffect,
	StateField,
} from '@codemirror/state';
import {
	Decoration,
	type DecorationSet,
	drawSelection,
	EditorView,
	highlightActiveLine,
	highlightActiveLineGutter,
	highlightSpecialChars,
	keymap,
	lineNumbers,
} from '@codemirror/view';
import { tags } from '@lezer/highlight';

const colours = HighlightStyle.define([
	{ tag: [tags.keyword, tags.operatorKeyword, tags.self], color: 'var(--q-code-keyword)' },
	{ tag: [tags.string, tags.special(tags.string)], color: 'var(--q-code-string)' },
	{ tag: [tags.number, tags.bool, tags.null], color: 'var(--q-code-number)' },
	{ tag: tags.comment, color: 'var(--q-code-comment)', fontStyle: 'italic' },
	{
		tag: [tags.function(tags.variableName), tags.definition(tags.className), tags.typeName],
		color: 'var(--q-code-name)',
	},
]);

const look = EditorView.theme({
	'&': {
		flex: '1 1 auto',
		minHeight: '0',
		minWidth: '0',
		fontSize: '13px',
		backgroundColor: 'var(--q-surface)',
		color: 'var(--q-text)',
	},
	'&.cm-focused': { outline: '2px solid var(--q-accent)', outlineOffset: '-2px' },
	'.cm-scroller': { fontFamily: 'var(--q-mono)', lineHeight: '1.55', overflow: 'auto' },
	'.cm-gutters': { backgroundColor: 'var(--q-sunken)', color: 'var(--q-muted)', border: 'none' },
	'.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--q-accent) 6%, transparent)' },
	'.cm-activeLineGutter': { backgroundColor: 'transparent', color: 'var(--q-text)' },
	'.cm-cursor': { borderLeftColor: 'var(--q-text)' },
	'&.cm-focused .cm-selectionBackground, .cm-selectionBackground': {
		background: 'color-mix(in srgb, var(--q-accent) 25%, transparent) !important',
	},
	'.cm-failed': {
		backgroundColor: 'color-mix(in srgb, var(--q-bad) 9%, transparent)',
		boxShadow: 'inset 3px 0 var(--q-bad)',
	},
	'.cm-passed': {
		backgroundColor: 'color-mix(in srgb, var(--q-warn) 8%, transparent)',
		boxShadow: 'inset 3px 0 var(--q-warn)',
	},
	'.cm-tooltip': {
		backgroundColor: 'var(--q-raised)',
		color: 'var(--q-text)',
		border: '1px solid var(--q-line-strong)',
		borderRadius: '6px',
	},
	'.cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]': {
		background: 'var(--q-accent)',
		color: 'var(--q-on-accent)',
	},
	'.cm-panels': { backgroundColor: 'var(--q-raised)', color: 'var(--q-text)' },
});

export const setFailing = StateEffect.define<number[]>();

/** Lines that a failure went through: the last of them failed. */
const failing = StateField.define<DecorationSet>({
	create: () => Decoration.none,
	update(marks, transaction) {
		for (const effect of transaction.effects) {
			if (effect.is(setFailing)) return marksOf(transaction.state, effect.value);
		}
		return marks.map(transaction.changes);
	},
	provide: (field) => EditorView.decorations.from(field),
});

function marksOf(state: EditorState, lines: number[]): DecorationSet {
	const builder = new RangeSetBuilder<Decoration>();
	const last = lines.at(-1);
	for (const line of [...new Set(lines)].sort((a, b) => a - b)) {
		const kind = line === last ? 'cm-failed' : 'cm-passed';
		const from = state.doc.line(Math.min(line, state.doc.lines)).from;
		builder.add(from, from, Decoration.line({ class: kind }));
	}
	return builder.finish();
}

/**
 * Text over a selection of several lines is put in by us: where the browser does it, it tries to carry the style of what
 * was there on with a style attribute, which the pages' policy refuses and reports.
 */
const replacing = EditorView.domEventHandlers({
	beforeinput(event, view) {
		const { from, to } = view.state.selection.main;
		const text = event.data;
		const spans = view.state.doc.lineAt(from).number !== view.state.doc.lineAt(to).number;
		if (event.inputType !== 'insertText' || !text || !spans || view.composing) return false;
		event.preventDefault();
		const insert = () =>
			view.state.update(view.state.replaceSelection(text), {
				userEvent: 'input.type',
				scrollIntoView: true,
			});
		const handlers = view.state.facet(EditorView.inputHandler);
		if (!handlers.some((handle) => handle(view, from, to, text, insert))) view.dispatch(insert());
		return true;
	},
});

export function pythonEditor(
	label: string,
	readOnly: boolean,
	more: Extension[] = [],
): Extension[] {
	return [
		lineNumbers(),
		highlightSpecialChars(),
		history(),
		drawSelection(),
		indentOnInput(),
		indentUnit.of('    '),
		bracketMatching(),
		highlightSelectionMatches(),
		syntaxHighlighting(colours),
		python(),
		failing,
		replacing,
		look,
		EditorView.contentAttributes.of({ 'aria-label': label, spellcheck: 'false', tabindex: '0' }),
		keymap.of([
			...closeBracketsKeymap,
			...defaultKeymap,
			...searchKeymap,
			...historyKeymap,
			...completionKeymap,
			...lintKeymap,
			// Escape, then Tab leaves the editor, as CodeMirror's own documentation asks for.
			...(readOnly ? [] : [indentWithTab]),
		]),
		...(readOnly
			? [EditorState.readOnly.of(true)]
			: [autocompletion(), closeBrackets(), highlightActiveLine(), highlightActiveLineGutter()]),
		...more,
	];
}
