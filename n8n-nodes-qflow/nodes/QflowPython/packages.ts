import type { ILoadOptionsFunctions, INodePropertyOptions } from 'n8n-workflow';

import type { Analysed } from './analysis';
import { analyse, syntaxError } from './analysis';
import type { Requirement } from './api';

/** The one entry of the list that shows what is installed while the node lists no requirements. */
export async function getPackages(this: ILoadOptionsFunctions): Promise<INodePropertyOptions[]> {
	const analysis = await analyse(this);
	return [{ name: typeof analysis === 'string' ? analysis : shown(analysis), value: '' }];
}

function shown(analysis: Analysed): string {
	const { listed, requirements } = analysis;
	if (listed.length > 0) return `${listed.join(', ')} (saved with the definition)`;
	if (requirements.length > 0) return requirements.map(withOrigin).join(', ');
	return syntaxError(analysis) === undefined
		? 'None: the code needs no packages'
		: 'The code cannot be read';
}

/** `pillow (import PIL)`, `pandas>=2 (header)` */
function withOrigin({ requirement, source, module }: Requirement): string {
	if (source === undefined) return requirement;
	return `${requirement} (${source === 'import' ? `import ${module}` : source})`;
}
