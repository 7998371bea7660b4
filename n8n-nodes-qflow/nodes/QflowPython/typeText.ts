/** Types as Python writes them, taken apart as far as the panel's fields need it. */

/** `int | None` and `Optional[int]` are `int` here: an empty field leaves the argument out. */
export function members(type: string): string[] {
	const text = type.trim().replace(/^(["'])(.*)\1$/, '$2');
	const inside = argumentsOf(text);
	if (headOf(text) === 'Annotated' && inside.length > 0) return members(inside[0] ?? '');
	if (['Optional', 'Union'].includes(headOf(text)) && inside.length > 0) {
		return inside.flatMap(members);
	}
	const parts = split(text, '|');
	return parts.length > 1 ? parts.flatMap(members) : [text].filter((each) => each !== 'None');
}

/** `typing.List[int]` is a `List`. */
export function headOf(type: string): string {
	return type.split('[')[0]?.trim().split('.').pop() ?? '';
}

/** What stands between the brackets of `Literal["a", "b"]`. */
export function argumentsOf(type: string): string[] {
	const inside = /^[\w.]+\s*\[([^]*)\]$/.exec(type.trim())?.[1];
	return inside === undefined ? [] : split(inside, ',');
}

/** Splits at a separator that stands in no brackets and no quotes. */
function split(text: string, separator: string): string[] {
	const parts = [''];
	let depth = 0;
	for (const [token] of text.matchAll(/'(?:\\[^]|[^\\'])*'|"(?:\\[^]|[^\\"])*"|[^]/g)) {
		if ('([{'.includes(token)) depth += 1;
		if (')]}'.includes(token)) depth -= 1;
		if (token === separator && depth === 0) parts.push('');
		else parts[parts.length - 1] += token;
	}
	return parts.map((part) => part.trim()).filter((part) => part !== '');
}
