/** Names for executions that are made here. Not by randomUUID, which pages without TLS do not have. */
export function newId(prefix: string): string {
	const random = crypto.getRandomValues(new Uint8Array(8));
	return `${prefix}-${[...random].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
