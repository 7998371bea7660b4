import type { ExpressionString } from 'n8n-workflow';

/** What the canvas shows of a node; empty where there is nothing certain to say. */
export interface Wires {
	input: string;
	output: string;
	signature: string;
	/** What the node runs, for a person: the signature, or the name of the saved definition. */
	title: string;
	/** Changes when the fields of the arguments have to be asked for again, which empties them. */
	fields: string;
}

/** Id of the invisible field that keeps the signature for which the arguments were given. */
export const STAMP = '$signature';

/** n8n's `$parameter`. */
interface Parameters {
	code?: unknown;
	function?: unknown;
	mode?: unknown;
	source?: unknown;
	/** All parameters as they are written, with their expressions. */
	toJSON?: () => object;
}

interface Mapper {
	value?: object | null;
	schema?: Array<{ id: string; displayName: string }>;
}

/**
 * The types on a node's wires, read from its parameters.
 *
 * n8n evaluates this text, and not the compiled module, in its expressions: in the browser for the
 * canvas, on the server for each run. So it uses nothing from outside itself, asks no server, never
 * throws, and gives up on code that would take long to look at.
 */
export function wires(parameters: Parameters): Wires {
	const LONGEST_CODE = 200_000;
	const LONGEST_SIGNATURE = 5_000;
	const LONGEST_LABEL = 40;
	const STRING =
		/'''(?:\\[^]|[^\\])*?'''|"""(?:\\[^]|[^\\])*?"""|'(?:\\[^]|[^\\'\n])*'|"(?:\\[^]|[^\\"\n])*"/;
	const plain = { input: '', output: '', signature: '', title: '', fields: '' };

	/** The end of a name and the name, for each function that stands at the left margin. */
	function functionsOf(code: string): Array<[name: string, end: number]> {
		const token = new RegExp(
			`${STRING.source}|#[^\n]*|^(?:async[ \\t]+)?def[ \\t]+([^\\s([:]+)`,
			'gm',
		);
		const found: Array<[string, number]> = [];
		for (const match of code.matchAll(token)) {
			if (match[1]) found.push([match[1], match.index + match[0].length]);
		}
		return found;
	}

	/** The function that is called when the node names none: the only public one, or main. */
	function entryOf(names: string[]): string {
		const open = [...new Set(names.filter((name) => !name.startsWith('_')))];
		if (open.length === 1) return open[0] ?? '';
		return open.includes('main') ? 'main' : '';
	}

	function tidy(text: string): string {
		return text
			.replace(/\s+/g, ' ')
			.replace(/([([{]) | (?=[)\]}])/g, '$1')
			.trim();
	}

	function nesting(text: string): number {
		if ('([{'.includes(text)) return 1;
		return ')]}'.includes(text) ? -1 : 0;
	}

	/** Parameters (name, type, default) and return type of the `def` whose name ends at `start`. */
	function read(code: string, start: number) {
		const token = new RegExp(`${STRING.source}|#[^\n]*|[^]`, 'gy');
		token.lastIndex = start;
		const found: string[][] = [];
		let place: 'before' | 'parameters' | 'after' = 'before';
		let parts = [''];
		let depth = 0;
		while (token.lastIndex < start + LONGEST_SIGNATURE) {
			const text = token.exec(code)?.[0];
			if (text === undefined) return undefined;
			if (text.startsWith('#') || text === '\\') continue;
			const last = parts.length - 1;
			const inLambda = last === 2 && /\blambda\b[^:]*$/.test(parts[2] ?? '');
			if (place === 'before') {
				// Type parameters may stand here, in brackets of their own.
				if (depth === 0 && text === '(') place = 'parameters';
				else depth += nesting(text);
			} else if (place === 'after' && depth === 0 && text === ':') {
				return { found, returns: tidy(parts.join('').replace(/^\s*->/, '')) };
			} else if (place === 'parameters' && depth === 0 && text === ')') {
				found.push(parts.map(tidy));
				place = 'after';
				parts = [''];
			} else if (place === 'parameters' && depth === 0 && text === ',' && !inLambda) {
				found.push(parts.map(tidy));
				parts = [''];
			} else if (place === 'parameters' && depth === 0 && text === ':' && last === 0) {
				parts.push('');
			} else if (place === 'parameters' && depth === 0 && text === '=' && last < 2) {
				parts = [parts[0] ?? '', parts[1] ?? '', ''];
			} else {
				depth += nesting(text);
				parts[last] += text;
			}
		}
		return undefined;
	}

	/**
	 * The parameters as they are written. In an expression nothing may be called `arguments`, and a look at
	 * their values through `$parameter` would evaluate them.
	 */
	function written(): Map<string, unknown> {
		return new Map(
			Object.entries(typeof parameters.toJSON === 'function' ? parameters.toJSON() : {}),
		);
	}

	/** What a resource locator holds. */
	function located(raw: unknown): string {
		const value =
			typeof raw === 'object' && raw !== null ? (raw as { value?: unknown }).value : raw;
		return String(value ?? '').trim();
	}

	function nameIn(signature: string): string {
		return signature.split('(')[0]?.trim() ?? '';
	}

	/** A signature that changes leaves the arguments that there are alone until the node is opened anew. */
	function fieldsFor(current: string, { value, schema }: Mapper): string {
		if (Object.keys(value ?? {}).length === 0) return current;
		return schema?.find((field) => field.id === '$signature')?.displayName ?? '';
	}

	function unquoted(type: string): string {
		return /^(["'])([^"']*)\1$/.exec(type)?.[2] ?? type;
	}

	function short(label: string): string {
		return label.length > LONGEST_LABEL ? `${label.slice(0, LONGEST_LABEL - 1)}…` : label;
	}

	try {
		const raw = written();
		const given = (raw.get('arguments') || {}) as Mapper;
		const names = Object.keys(given.value ?? {});
		const saved = parameters.source === 'saved';
		const label = saved ? located(raw.get('savedName')) : '';
		// Another saved definition has other fields, whatever is filled in.
		const place = saved ? `${label}@${String(raw.get('savedVersion') ?? '')}` : '';
		const nothing = { ...plain, title: label, fields: place || fieldsFor('', given) };
		if (parameters.mode === 'script') return nothing;
		const text = saved ? '' : String(parameters.code ?? '');
		const code = text.length > LONGEST_CODE ? '' : text;
		const chosen = String(parameters.function ?? '').trim();
		// What the panel saw of a saved definition last.
		const seen = saved
			? String(given.schema?.find((field) => field.id === '$signature')?.displayName ?? '')
			: '';
		const functions = functionsOf(code);
		const name = nameIn(chosen) || entryOf(functions.map(([each]) => each)) || nameIn(seen);
		const defined = functions.filter(([each]) => each === name).pop();
		const kept = seen.includes('(') && nameIn(seen) === name ? seen : chosen;
		const stored = kept.includes('(') ? read(`${kept}:`, kept.indexOf('(')) : undefined;
		const shape = (defined && read(code, defined[1])) ?? stored;
		if (shape === undefined) return nothing;
		const takes = shape.found
			.filter(([each]) => each && !/^[*/]/.test(each))
			.map(([each, type, initial]) => {
				const known = type || stored?.found.find(([other]) => other === each)?.[1] || '';
				return { name: each, type: unquoted(known), initial };
			});
		const returns = unquoted(shape.returns || stored?.returns || '');
		const free = takes.find((each) => !names.includes(each.name ?? ''));
		const shown = takes.map(({ name: each, type, initial }) => {
			const typed = type ? `${each}: ${type}` : `${each}`;
			if (initial === undefined) return typed;
			return type ? `${typed} = ${initial}` : `${typed}=${initial}`;
		});
		const signature = `${name}(${shown.join(', ')})${returns ? ` -> ${returns}` : ''}`;
		return {
			input: free ? short(free.type ? `${free.name}: ${free.type}` : `${free.name}`) : '',
			output: short(returns),
			signature,
			title: signature,
			fields: place || fieldsFor(signature, given),
		};
	} catch {
		return plain;
	}
}

/** As n8n's expressions can read it: a double brace ends one, and a catch needs a name. */
const TEXT = wires
	.toString()
	.replace(/\}(?=\})/g, '} ')
	.replace(/\bcatch \{/g, 'catch (error) {');

const CALL = `(${TEXT})($parameter)`;

export const inputs: ExpressionString = `={{ [${CALL}.input].map((text) => text ? { type: 'main', displayName: text } : { type: 'main' }) }}`;

export const outputs: ExpressionString = `={{ [${CALL}.output].map((text) => text ? { type: 'main', displayName: text } : { type: 'main' }) }}`;

export const subtitle: ExpressionString = `={{ ${CALL}.title || $parameter["function"] || "Python function" }}`;

export const fields: ExpressionString = `={{ ${CALL}.fields }}`;
