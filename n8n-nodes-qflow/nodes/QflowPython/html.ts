/** n8n shows hints and the descriptions of errors as HTML, of which it keeps a few tags. */

/** Text as it is, safe inside HTML. Line ends become line breaks. */
export function toHtml(text: string): string {
	return text
		.replace(/&/g, '&amp;')
		.replace(/</g, '&lt;')
		.replace(/>/g, '&gt;')
		.replace(/\n/g, '<br>\n');
}

/** A link that opens beside n8n; empty for what is no address of a web page. */
export function toLink(text: string, url: unknown): string {
	if (typeof url !== 'string' || !/^https?:\/\/[^\s"'<>`\\]+$/i.test(url)) return '';
	return `<a href="${toHtml(url)}" target="_blank" rel="noopener">${toHtml(text)}</a>`;
}

/** Text with its indentation. A back quote would otherwise start a code span of n8n's. */
export function toHtmlCode(text: string): string {
	const lines = text.trimEnd().split('\n');
	const kept = lines.map((line) => line.replace(/^ +/, (spaces) => '\u00a0'.repeat(spaces.length)));
	return `<code>${toHtml(kept.join('\n')).replace(/`/g, '&#96;')}</code>`;
}
