// Lints with the rules of n8n's scan, as it would a published package: scan-node-package.mjs SCANNER SOURCES UNPACKED
// Where a package was built, which the scan asks npm, is left out: it can be said of a published one alone.
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [scanner, sources, unpacked] = process.argv.slice(2).map((each) => path.resolve(each));
const { analyzePackage, SOURCE_FILE_PATTERNS } = await import(pathToFileURL(scanner).href);

for (const [name, folder, patterns] of [
	['sources', sources, SOURCE_FILE_PATTERNS],
	['tarball', unpacked, ['**/*.js', 'package.json']],
]) {
	const result = await analyzePackage(folder, patterns);
	if (!result.passed || result.message) {
		console.error(`${name}: ${result.message}\n${result.details ?? ''}`);
		process.exitCode = 1;
	} else {
		console.log(`${name}: passed`);
	}
}
