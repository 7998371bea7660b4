import type { INodeProperties } from 'n8n-workflow';

import { options } from './panel/options';
import { runProperties } from './panel/run';
import { sourceProperties } from './panel/source';

/** The panel, from top to bottom. */
export const properties: INodeProperties[] = [...sourceProperties, ...runProperties, options];
