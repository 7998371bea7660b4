import type { IExecuteFunctions, INode } from 'n8n-workflow';
import { createHash } from 'crypto';

/**
 * The W3C `traceparent` of a node's run: all runs of one execution are one trace, whichever runner they run on.
 *
 * It follows from what anyone can look up, so a trace is found by the execution's id. n8n gives nodes none of its own.
 */
export function traceparent(context: IExecuteFunctions, node: INode, execution: string): string {
	const trace = `${context.getInstanceId()}:${execution}`;
	return `00-${digest(trace, 32)}-${digest(`${trace}:${node.id}`, 16)}-01`;
}

function digest(text: string, length: number): string {
	return createHash('sha256').update(text).digest('hex').slice(0, length);
}
