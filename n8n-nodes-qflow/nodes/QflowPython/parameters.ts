/** The name in what the parameter "Function" holds: a signature, a name, or nothing. */
export function functionName(chosen: unknown): string {
	return typeof chosen === 'string' ? (chosen.split('(')[0] ?? '').trim() : '';
}

/** Whether a parameter's raw value is an expression of n8n's. */
export function isExpression(value: unknown): value is string {
	return typeof value === 'string' && value.startsWith('=');
}

/** One requirement a line, as in a requirements file. */
export function requirementLines(text: unknown): string[] {
	return String(text ?? '')
		.split('\n')
		.map((line) => line.trim())
		.filter((line) => line !== '' && !line.startsWith('#'));
}

/** Whether the node runs a definition that the runner keeps by name, and not code of its own. */
export function isSaved(parameters: { source?: unknown }): boolean {
	return parameters.source === 'saved';
}
