import type { IExecuteFunctions, INode } from 'n8n-workflow';

import type { Definition, ReferenceScope, Sharing, Validation } from './api';
import { sentence } from './errors';

/** As the runner has them. */
const MAX_CACHE_S = 2_592_000;
const MAX_PARALLEL = 64;
const MAX_HOSTS = 64;
const MIN_MEMORY_MB = 64;
const MIN_CPUS = 0.05;

/** The collection of the panel, with what a person added to it. Expressions may have made anything of a number. */
interface Chosen {
	cache?: unknown;
	cpus?: unknown;
	idempotent?: boolean;
	memory?: unknown;
	network?: unknown;
	parallel?: unknown;
	python?: string;
	referenceScope?: ReferenceScope;
	sharing?: Sharing;
	timeout?: unknown;
	validation?: Validation;
}

/** Only what the options say; the rest is as it was saved, or the runner's default. Throws NodeOperationError. */
export function readOptions(context: IExecuteFunctions, node: INode): Partial<Definition> {
	const chosen = context.getNodeParameter('options', 0, {}) as Chosen;
	const timeout_s = numberOf(chosen.timeout);
	if (timeout_s !== undefined && !(timeout_s > 0)) {
		throw sentence(node, 'The time limit is not a number of seconds', 'Write one, such as 30.');
	}
	const cache_ttl_s = numberOf(chosen.cache);
	if (cache_ttl_s !== undefined && !(cache_ttl_s >= 0 && cache_ttl_s <= MAX_CACHE_S)) {
		throw sentence(
			node,
			'"Cache Results For" is not a number of seconds that results can be kept',
			`Write one up to ${MAX_CACHE_S}, which is 30 days, or 0 to keep none.`,
		);
	}
	const parallel = numberOf(chosen.parallel);
	if (
		parallel !== undefined &&
		!(Number.isInteger(parallel) && parallel >= 1 && parallel <= MAX_PARALLEL)
	) {
		throw sentence(
			node,
			'"Parallel Items" is not a number of items',
			`Write a whole number from 1 to ${MAX_PARALLEL}.`,
		);
	}
	const memory_mb = numberOf(chosen.memory);
	if (memory_mb !== undefined && !(Number.isInteger(memory_mb) && memory_mb >= MIN_MEMORY_MB)) {
		throw sentence(
			node,
			'"Memory" is not a number of megabytes that code can start with',
			`Write a whole number from ${MIN_MEMORY_MB}, such as 512.`,
		);
	}
	const cpus = numberOf(chosen.cpus);
	if (cpus !== undefined && !(cpus >= MIN_CPUS)) {
		throw sentence(
			node,
			'"CPU" is not a number of CPUs',
			`Write one from ${MIN_CPUS}, such as 0.5 or 2.`,
		);
	}
	const egress = hostLines(chosen.network);
	if (egress.length > MAX_HOSTS) {
		throw sentence(
			node,
			`"Network Access" lists ${egress.length} hosts, and ${MAX_HOSTS} is the most`,
			'Write a pattern, such as *.example.org:443, in place of many names.',
		);
	}
	const { python, validation, referenceScope: reference_scope, sharing, idempotent } = chosen;
	const said = {
		python,
		validation,
		timeout_s,
		memory_mb,
		cpus,
		cache_ttl_s,
		parallel,
		reference_scope,
		sharing,
		idempotent,
		egress: egress.length === 0 ? undefined : egress,
	};
	return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
}

/** Text, or the list that an expression made; a comma, a space or a line is between two. */
export function hostLines(written: unknown): string[] {
	const lines = Array.isArray(written) ? written : [written ?? ''];
	return lines.flatMap((line) => String(line).split(/[\s,;]+/)).filter((line) => line !== '');
}

function numberOf(value: unknown): number | undefined {
	return value === undefined ? undefined : Number(value);
}
