import { createRequire } from 'node:module';

import { defineConfig } from 'vitest/config';

const { resolve } = createRequire(import.meta.url);

export default defineConfig({
	// n8n loads the CommonJS build; the other one lacks the file extensions that Node.js asks for.
	resolve: { alias: { 'n8n-workflow': resolve('n8n-workflow') } },
	test: { include: ['test/**/*.test.mts'] },
});
