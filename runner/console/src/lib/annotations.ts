/** Writes a type into a function's signature, as a person would: beside the name, with the import that it needs. */
import { pythonLanguage } from '@codemirror/lang-python';
import type { SyntaxNode } from '@lezer/common';

/** What a name is written as, and the line that makes it known. */
const WRITTEN: Record<string, { text?: string; line?: string }> = {
	number: { text: 'int | float' },
	Any: { line: 'from typing import Any' },
	Iterable: { line: 'from collections.abc import Iterable' },
	Sequence: { line: 'from collections.abc import Sequence' },
	Mapping: { line: 'from collections.abc import Mapping' },
	'PIL.Image.Image': { line: 'import PIL.Image' },
};

/** The code with the parameter's type; the code as it was where there is no such function or parameter. */
export function withParameterType(
	code: string,
	name: string,
	parameter: string,
	type: string,
): string {
	const list = functionNode(code, name)?.getChild('ParamList');
	const place = list ? placeOf(code, list, parameter) : undefined;
	if (!place) return code;
	const { text, line } = written(type);
	const replaced = `: ${text}${place.hasDefault ? ' = ' : ''}`;
	return withImport(code.slice(0, place.from) + replaced + code.slice(place.to), line);
}

export function withReturnType(code: string, name: string, type: string): string {
	const node = functionNode(code, name);
	const list = node?.getChild('ParamList');
	if (!node || !list) return code;
	const known = node.getChild('TypeDef');
	const { text, line } = written(type);
	const [from, to] = known ? [known.from, known.to] : [list.to, list.to];
	const space = known ? '' : ' ';
	return withImport(`${code.slice(0, from)}${space}-> ${text}${code.slice(to)}`, line);
}

function functionNode(code: string, name: string): SyntaxNode | undefined {
	const top = pythonLanguage.parser.parse(code).topNode;
	for (let child = top.firstChild; child; child = child.nextSibling) {
		const found =
			child.name === 'DecoratedStatement' ? child.getChild('FunctionDefinition') : child;
		if (found?.name !== 'FunctionDefinition') continue;
		const own = found.getChild('VariableName');
		if (own && code.slice(own.from, own.to) === name) return found;
	}
	return undefined;
}

/** From the end of the parameter's name to where its default begins, or to the end of the type that it has. */
function placeOf(code: string, list: SyntaxNode, parameter: string) {
	let isName = true;
	for (let child = list.firstChild; child; child = child.nextSibling) {
		if (child.name === ',' || child.name === '(') isName = true;
		else if (child.name === 'VariableName' && isName) {
			isName = false;
			if (code.slice(child.from, child.to) !== parameter) continue;
			const next = child.nextSibling;
			const type = next?.name === 'TypeDef' ? next : undefined;
			const assign = type ? type.nextSibling : next;
			const value = assign?.name === 'AssignOp' ? assign.nextSibling : null;
			return {
				from: child.to,
				to: value?.from ?? type?.to ?? child.to,
				hasDefault: value !== null,
			};
		}
	}
	return undefined;
}

function written(type: string): { text: string; line: string } {
	const known = WRITTEN[type];
	const root = type.includes('.') && /^[a-z_]\w*\./.test(type) ? type.split('.')[0] : undefined;
	return { text: known?.text ?? type, line: known?.line ?? (root ? `import ${root}` : '') };
}

/** Before the first statement that is neither the module's docstring nor an import from the future. */
function withImport(code: string, line: string): string {
	if (!line || code.split('\n').some((each) => each.trim() === line)) return code;
	const top = pythonLanguage.parser.parse(code).topNode;
	let at = 0;
	for (let child = top.firstChild; child; child = child.nextSibling) {
		const text = code.slice(child.from, child.to);
		const isFirst =
			child.name === 'Comment' ||
			/^(?:[rRuU]?["'])/.test(text) ||
			text.startsWith('from __future__');
		if (!isFirst) break;
		at = code.indexOf('\n', child.to) + 1 || code.length;
	}
	const own =
		code.slice(at).startsWith('import ') || code.slice(at).startsWith('from ') ? '' : '\n';
	return `${code.slice(0, at)}${line}\n${own}${code.slice(at)}`;
}
