import js from '@eslint/js';
import vue from 'eslint-plugin-vue';
import ts from 'typescript-eslint';

export default ts.config(
	{ ignores: ['node_modules', 'dist'] },
	js.configs.recommended,
	...ts.configs.strict,
	...ts.configs.stylistic,
	...vue.configs['flat/recommended'],
	{ files: ['**/*.vue'], languageOptions: { parserOptions: { parser: ts.parser } } },
	{
		rules: {
			// The compiler knows them all.
			'no-undef': 'off',
			// Prettier's business.
			'vue/html-indent': 'off',
			'vue/html-self-closing': 'off',
			'vue/max-attributes-per-line': 'off',
			'vue/singleline-html-element-content-newline': 'off',
			'vue/multiline-html-element-content-newline': 'off',
			'vue/html-closing-bracket-newline': 'off',
			'vue/html-quotes': 'off',
			// A value that has no default is undefined, and its type says so.
			'vue/require-default-prop': 'off',
			'vue/no-v-html': 'error',
			// A style attribute is refused by the pages' policy; a bound one is not.
			'vue/no-static-inline-styles': 'error',
			'@typescript-eslint/no-explicit-any': 'error',
		},
	},
);
