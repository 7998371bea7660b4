/** What is done to a finished build: the licences of all that is in it, and a compressed copy of each file. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

const LICENSE_FILE = /^(licen[cs]e|copying|notice)/i;
const TEXT = /\.(js|css|html|svg|txt)$/;

interface Manifest {
	name?: string;
	version?: string;
	license?: string;
}

/** The folder of the package that a module comes from; undefined for our own. */
function packageOf(module: string): string | undefined {
	return /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(module.replace(/^\0/, ''))?.[1];
}

function licenseOf(folder: string): string {
	const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
	const texts = readdirSync(folder)
		.filter((name) => LICENSE_FILE.test(name))
		.map((name) => readFileSync(join(folder, name), 'utf8').trim());
	const head = `${manifest.name ?? ''} ${manifest.version ?? ''} (${manifest.license ?? 'see below'})`;
	return [head, '-'.repeat(head.length), ...texts].join('\n\n');
}

/** Writes licenses.txt: the notices of every package of which a module, or a style, is in the build. */
export function licenses(): Plugin {
	const folders = new Set<string>();
	return {
		name: 'licenses',
		apply: 'build',
		transform(_, id) {
			const folder = packageOf(id);
			if (folder && existsSync(join(folder, 'package.json'))) folders.add(folder);
		},
		generateBundle() {
			const source = [...folders].sort().map(licenseOf).join('\n\n\n');
			this.emitFile({ type: 'asset', fileName: 'licenses.txt', source });
		},
	};
}

/** Writes a .gz beside each text, which the runner serves to browsers that take it. */
export function compressed(): Plugin {
	return {
		name: 'compressed',
		apply: 'build',
		// From the disk, because the last changes are made when every plugin has seen the bundle.
		writeBundle({ dir = '' }, bundle) {
			for (const fileName of Object.keys(bundle)) {
				if (!TEXT.test(fileName)) continue;
				const path = join(dir, fileName);
				writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
			}
		},
	};
}
