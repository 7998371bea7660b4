import { fileURLToPath } from 'node:url';
import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vitest/config';
import { compressed, licenses } from './finishing.ts';

export default defineConfig({
	base: '/console/',
	plugins: [vue(), licenses(), compressed()],
	resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
	build: {
		target: 'es2022',
		modulePreload: { polyfill: false },
		// A font or picture as data: would need more than the pages' policy allows.
		assetsInlineLimit: 0,
		chunkSizeWarningLimit: 600,
	},
	server: { proxy: { '/v1': 'http://127.0.0.1:7420', '/readyz': 'http://127.0.0.1:7420' } },
	test: { include: ['test/**/*.test.ts'] },
});
