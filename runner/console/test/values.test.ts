import { expect, test } from 'vitest';
import { choicesOf, fieldOf, itemsOf, sourceOf, typeOf, valueOf } from '@/lib/values';

test.each([
	['int', 'integer'],
	['float | None', 'number'],
	['bool', 'switch'],
	["Literal['a', 'b']", 'choice'],
	['str', 'text'],
	['list[int]', 'json'],
	['', 'json'],
	['Context', 'none'],
])('%s is asked for with %s', (type, field) => {
	expect(fieldOf(type)).toBe(field);
});

test('a field is the value of its type', () => {
	expect(valueOf('3', 'int')).toBe(3);
	expect(valueOf('true', 'bool')).toBe(true);
	expect(valueOf('3', 'str')).toBe('3');
	expect(valueOf('[1]', 'list[int]')).toEqual([1]);
	expect(valueOf('2', 'Literal[1, 2]')).toBe(2);
	expect(valueOf('word', 'Any')).toBe('word');
	expect(() => valueOf('word', 'list[int]')).toThrow(SyntaxError);
	expect(choicesOf('Literal[\'a b\', "c"]')).toEqual(['a b', 'c']);
});

test('items are objects, or n8n items, one or many', () => {
	expect(itemsOf('[{"a": 1}]')).toEqual([{ json: { a: 1 } }]);
	expect(itemsOf('{"json": {"a": 1}}')).toEqual([{ json: { a: 1 } }]);
	expect(itemsOf('')).toEqual([{ json: {} }]);
	expect(() => itemsOf('[1]')).toThrow(/object/);
});

test('values have a type as Python writes it', () => {
	expect(typeOf([1, 2.5, null])).toBe('None | float | int');
	expect(typeOf([[1], ['a']])).toBe('list[int] | list[str]');
	expect(typeOf([{ a: 1 }, []])).toBe('dict | list');
	expect(sourceOf('[{"a": 1}, {}]', 'a')).toBe('int');
	expect(sourceOf('no json', 'a')).toBe('');
});
