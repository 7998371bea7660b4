import { readFileSync } from 'node:fs';

import type { INode, INodeType, INodeTypes } from 'n8n-workflow';
import { NodeHelpers, Workflow } from 'n8n-workflow';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

import { QflowPython } from '../nodes/QflowPython/QflowPython.node.js';
import { wires as ofProxy } from '../nodes/QflowPython/wires.js';

/** The parameters as n8n's `$parameter` gives them. */
function wires(parameters: object) {
	return ofProxy({ ...parameters, toJSON: () => parameters });
}

const ORDER = `
from dataclasses import dataclass

@dataclass
class Order:
    quantity: int

def invoice(order: Order, vat: float = 0.19) -> dict[str, float]:
    return {}
`;

test('The first parameter and the result of the only function stand on the wires', () => {
	expect(wires({ code: ORDER })).toMatchObject({
		input: 'order: Order',
		output: 'dict[str, float]',
		signature: 'invoice(order: Order, vat: float = 0.19) -> dict[str, float]',
	});
});

test('A parameter that has an argument is none that items flow into', () => {
	const given = { mappingMode: 'defineBelow', value: { order: '={{ $json.body }}' } };

	expect(wires({ code: ORDER, arguments: given }).input).toEqual('vat: float');
	expect(wires({ code: 'def f(a: int): ...', arguments: { value: { a: 1 } } }).input).toEqual('');
	expect(wires({ code: ORDER, arguments: { value: null } }).input).toEqual('order: Order');
	expect(wires({ code: ORDER, arguments: '' }).input).toEqual('order: Order');
});

const TWO = 'def a(x: int) -> str: ...\ndef b(y: str) -> int: ...\ndef _c(): ...\n';

test('A chosen function is found by the name in its signature', () => {
	expect(wires({ code: TWO, function: 'b(y: bytes) -> None' })).toMatchObject({
		input: 'y: str',
		output: 'int',
	});
	expect(wires({ code: TWO, function: ' a ' }).input).toEqual('x: int');
});

test('Without a choice, main is called, or the only public function', () => {
	expect(wires({ code: `${TWO}def main(z: float): ...` }).input).toEqual('z: float');
	expect(wires({ code: 'def _a(x: int): ...\ndef b(y: str): ...' }).input).toEqual('y: str');
});

const SAVED = {
	source: 'saved',
	savedName: { __rl: true, mode: 'list', value: 'pricing' },
	code: ORDER,
};

function seen(signature: string, value: object | null = null) {
	return { arguments: { value, schema: [{ id: '$signature', displayName: signature }] } };
}

test('A saved definition shows the function that the panel saw last, and never code that is left over', () => {
	expect(wires(SAVED)).toEqual({
		input: '',
		output: '',
		signature: '',
		title: 'pricing',
		fields: 'pricing@',
	});
	expect(wires({ ...SAVED, ...seen('f(a: int, b: str) -> list[int]', { a: 1 }) })).toMatchObject({
		input: 'b: str',
		output: 'list[int]',
		title: 'f(a: int, b: str) -> list[int]',
	});
});

test('A chosen function of a saved definition is shown as it was seen last', () => {
	const chosen = { ...SAVED, function: 'f(a: int) -> str' };

	expect(wires(chosen)).toMatchObject({ input: 'a: int', output: 'str' });
	expect(wires({ ...chosen, ...seen('f(a: float) -> str') }).input).toEqual('a: float');
	expect(wires({ ...chosen, ...seen('g(b: int)') }).input).toEqual('a: int');
});

test('Another saved definition, or another version, asks for other fields, whatever is filled in', () => {
	const filled = { ...SAVED, ...seen('f(a: int)', { a: 1 }), savedVersion: '3' };

	expect(wires(filled).fields).toEqual('pricing@3');
	expect(wires({ ...filled, savedName: 'other' }).fields).toEqual('other@3');
	expect(wires({ ...filled, savedName: null, mode: 'script' }).fields).toEqual('@3');
});

test.for([
	['several functions', { code: TWO }],
	['a function that is not there', { code: TWO, function: 'nothing' }],
	['a script', { code: 'return _items', mode: 'script' }],
	['no code', {}],
	['code that ends too early', { code: 'def f(a: list[' }],
	['a signature without an end', { code: `def f(a: int = ${'1 + '.repeat(10_000)}` }],
	['very much code', { code: `${'x = 1\n'.repeat(50_000)}def f(a: int): ...` }],
	['parameters that are no text', { code: null, function: 7, arguments: 3 }],
] as const)('Nothing is said of %s', ([, parameters]) => {
	expect(wires(parameters)).toEqual({
		input: '',
		output: '',
		signature: '',
		title: '',
		fields: '',
	});
});

test('Unannotated code takes its types from the signature that was chosen', () => {
	const code = 'def double(n, times=2):\n    return n * times\n';

	expect(wires({ code, function: 'double(n: int, times: int = 2) -> int' })).toMatchObject({
		input: 'n: int',
		output: 'int',
		signature: 'double(n: int, times: int = 2) -> int',
	});
	expect(wires({ code })).toMatchObject({
		input: 'n',
		output: '',
		signature: 'double(n, times=2)',
	});
});

test.for([
	['async def f(a: int) -> str:', 'f(a: int) -> str'],
	[
		'def f(\n    a: int,  # the (first\n    b: "str" = "x, y: z",\n) -> None:',
		'f(a: int, b: str = "x, y: z") -> None',
	],
	[
		'def f(a: dict[str, list[int]] = {"a": [1, 2]}) -> "Order":',
		'f(a: dict[str, list[int]] = {"a": [1, 2]}) -> Order',
	],
	[
		'def f(a, /, b: int, *rest: str, c: bool = True, **more) -> int | None:',
		'f(a, b: int, c: bool = True) -> int | None',
	],
	['def f(*, key: str):', 'f(key: str)'],
	['def f(a=lambda x, y: (x, y), b: int = 1): ...', 'f(a=lambda x, y: (x, y), b: int = 1)'],
	['def f[T: (int, str)](a: T) -> list[T]:', 'f(a: T) -> list[T]'],
	['@cache\n@retry(times=3)\ndef f(a: Literal["a)", \'b(\']):', 'f(a: Literal["a)", \'b(\'])'],
	[
		'def f(a: int = max(\n        1,\n        2,\n    )) -> int: return a',
		'f(a: int = max(1, 2,)) -> int',
	],
	['def größe(maß: float) -> float: ...', 'größe(maß: float) -> float'],
	[
		'"""\ndef g(x: int): ...\n"""\n# def h(): ...\nclass A:\n    def m(self): ...\ndef f(a: int): ...',
		'f(a: int)',
	],
	['def f(a: int): ...\ndef f(a: str): ...', 'f(a: str)'],
	["def f(a: str = '}}', b: str = '{{') -> str: ...", "f(a: str = '}}', b: str = '{{') -> str"],
	['def f() -> Callable[[int], str]:', 'f() -> Callable[[int], str]'],
	['def f(a: int) \\\n    -> str:', 'f(a: int) -> str'],
])('%j is read as %j', ([code, signature]) => {
	expect(wires({ code }).signature).toEqual(signature);
});

describe('When the fields of the arguments are asked for again', () => {
	const schema = [
		{ id: 'order', displayName: 'order: Order' },
		{ id: '$signature', displayName: 'as it was' },
	];

	test('without arguments it follows the signature', () => {
		expect(wires({ code: ORDER }).fields).toEqual(wires({ code: ORDER }).signature);
		expect(wires({ code: ORDER, arguments: { value: {}, schema } }).fields).toContain('invoice(');
	});

	test.for([ORDER, TWO, 'def broken(', ''])(
		'with arguments no change of the code matters',
		(code) => {
			const given = { value: { order: '={{ $json.body }}' }, schema };

			expect(wires({ code, arguments: given }).fields).toEqual('as it was');
		},
	);

	test('arguments that were written by hand stay too', () => {
		const given = { value: { order: '={{ $json.body }}' } };

		expect(wires({ code: ORDER, arguments: given }).fields).toEqual('');
	});
});

test('A long type is cut', () => {
	const code = `def f(a: tuple[${'int, '.repeat(30)}str]) -> ${'A'.repeat(90)}: ...`;

	expect(wires({ code }).input).toEqual('a: tuple[int, int, int, int, int, int, …');
	expect(wires({ code }).output).toHaveLength(40);
});

test('Code against which a reader could be slow is read in a moment', () => {
	const hostile = [
		"'''".repeat(60_000),
		'"'.repeat(190_000),
		`def f(${'('.repeat(190_000)}`,
		'\\'.repeat(190_000),
	];
	const began = performance.now();

	for (const code of hostile) wires({ code });

	expect(performance.now() - began).toBeLessThan(1_000);
});

/** The text that n8n evaluates is that of the compiled function, so it is tried as compiled. */
function compiled(): string {
	const folder = new URL('../', import.meta.url);
	const { config } = ts.readConfigFile(new URL('tsconfig.json', folder).pathname, ts.sys.readFile);
	const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, '.');
	const source = readFileSync(new URL('nodes/QflowPython/wires.ts', folder), 'utf8');
	return ts.transpileModule(source, { compilerOptions: options }).outputText;
}

describe('In expressions of n8n', () => {
	const exported = {} as { inputs: string; outputs: string; subtitle: string };
	new Function('exports', compiled())(exported);
	const description = { ...new QflowPython().description, ...exported };

	function evaluate(parameters: INode['parameters'], onError?: INode['onError']) {
		const node: INode = {
			id: 'a',
			name: 'Python',
			type: 'n8n-nodes-qflow.qflowPython',
			typeVersion: 1,
			position: [0, 0],
			parameters,
			...(onError ? { onError } : {}),
		};
		const type = { description } as unknown as INodeType;
		const nodeTypes = { getByNameAndVersion: () => type } as unknown as INodeTypes;
		const workflow = new Workflow({ nodes: [node], connections: {}, active: false, nodeTypes });
		const used = workflow.getNode('Python') as INode;
		return {
			inputs: NodeHelpers.getNodeInputs(workflow, used, type.description),
			outputs: NodeHelpers.getNodeOutputs(workflow, used, type.description),
			subtitle: workflow.expression.getSimpleParameterValue(
				used,
				exported.subtitle,
				'internal',
				{},
			),
		};
	}

	test('no double brace ends them early', () => {
		for (const text of [exported.inputs, exported.outputs, exported.subtitle]) {
			expect(text.slice(0, -2)).not.toContain('}}');
		}
	});

	test('the wires are those of the function', () => {
		expect(evaluate({ code: ORDER })).toEqual({
			inputs: [{ type: 'main', displayName: 'order: Order' }],
			outputs: [{ type: 'main', displayName: 'dict[str, float]' }],
			subtitle: 'invoice(order: Order, vat: float = 0.19) -> dict[str, float]',
		});
	});

	test('a new node has the wires of its example', () => {
		expect(evaluate({})).toMatchObject({
			inputs: [{ displayName: 'item: dict' }],
			outputs: [{ displayName: 'dict' }],
		});
	});

	test('an argument that is an expression is not evaluated', () => {
		const given = { mappingMode: 'defineBelow', value: { order: '={{ $json.no.such() }}' } };

		expect(evaluate({ code: ORDER, arguments: given }).inputs).toEqual([
			{ type: 'main', displayName: 'vat: float' },
		]);
	});

	test('a node with nothing to say has plain wires', () => {
		expect(evaluate({ code: 'broken (' })).toEqual({
			inputs: [{ type: 'main' }],
			outputs: [{ type: 'main' }],
			subtitle: 'Python function',
		});
	});

	test('the error output is an output of its own', () => {
		expect(evaluate({ code: ORDER }, 'continueErrorOutput').outputs).toEqual([
			{ type: 'main', displayName: 'Success' },
			{ category: 'error', type: 'main', displayName: 'Error' },
		]);
	});
});
