import type { IExecuteFunctions, INode, NodeTypeAndVersion } from 'n8n-workflow';

/**
 * Whether all that follows the node directly is Qflow nodes, and something does: they take references.
 *
 * n8n hands items through a disabled node, so what follows one counts in its place. In the editor,
 * "Execute step" sees the same connections as a run of the whole workflow.
 */
export function feedsOnlyQflow(context: IExecuteFunctions, node: INode): boolean {
	// n8n tells all that follow, however far, and of each what stands directly before it.
	const all = context.getChildNodes(node.name);
	if (all.length === 0) return false;
	const before = new Map(
		all.map(({ name }) => [
			name,
			context.getParentNodes(name, { depth: 1 }).map((parent) => parent.name),
		]),
	);
	const found = new Map<string, NodeTypeAndVersion>();
	function follow(name: string): void {
		for (const child of all) {
			if (found.has(child.name) || !before.get(child.name)?.includes(name)) continue;
			found.set(child.name, child);
			if (child.disabled) follow(child.name);
		}
	}
	follow(node.name);
	const active = [...found.values()].filter((child) => !child.disabled);
	return active.length > 0 && active.every((child) => child.type === node.type);
}
