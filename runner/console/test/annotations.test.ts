import { describe, expect, test } from 'vitest';
import { withParameterType, withReturnType } from '@/lib/annotations';

describe('the type of a parameter', () => {
	test.each([
		['def f(a): pass\n', 'a', 'int', 'def f(a: int): pass\n'],
		['def f(a=1): pass\n', 'a', 'int', 'def f(a: int = 1): pass\n'],
		['def f(a: str="x", b=2): pass\n', 'a', 'int', 'def f(a: int = "x", b=2): pass\n'],
		[
			'def f(x, a: list[int] = [1, 2]): pass\n',
			'a',
			'list[str]',
			'def f(x, a: list[str] = [1, 2]): pass\n',
		],
		['def f(*, a): pass\n', 'a', 'bool', 'def f(*, a: bool): pass\n'],
		['@d\ndef f(a): pass\n', 'a', 'number', '@d\ndef f(a: int | float): pass\n'],
		['def g(a): pass\ndef f(a): pass\n', 'a', 'int', 'def g(a): pass\ndef f(a: int): pass\n'],
		['def f(b=a, a=1): pass\n', 'a', 'int', 'def f(b=a, a: int = 1): pass\n'],
		['async def f(a): pass\n', 'a', 'int', 'async def f(a: int): pass\n'],
	])('%j: %s becomes %s', (code, parameter, type, expected) => {
		expect(withParameterType(code, 'f', parameter, type)).toBe(expected);
	});

	test('comes with the import that it needs, behind what must stand first', () => {
		expect(withParameterType('def f(a): pass\n', 'f', 'a', 'pandas.DataFrame')).toBe(
			'import pandas\n\ndef f(a: pandas.DataFrame): pass\n',
		);
		const code = '"""Doc."""\nfrom __future__ import annotations\nimport os\ndef f(a): pass\n';
		expect(withParameterType(code, 'f', 'a', 'Any')).toBe(
			'"""Doc."""\nfrom __future__ import annotations\nfrom typing import Any\nimport os\ndef f(a: Any): pass\n',
		);
	});

	test('changes nothing where there is no such function, parameter, or readable code', () => {
		for (const code of ['def g(a): pass\n', 'def f(b): pass\n', 'def f(', '']) {
			expect(withParameterType(code, 'f', 'a', 'int')).toBe(code);
		}
	});
});

test('the type that a function gives back is written or replaced', () => {
	expect(withReturnType('def f(a): pass\n', 'f', 'str')).toBe('def f(a) -> str: pass\n');
	expect(withReturnType('def f() -> list[int]: pass\n', 'f', 'str')).toBe('def f() -> str: pass\n');
});
