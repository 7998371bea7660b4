/** Failed runs, counted: by category, code, node, and in time. */
import type { Run } from '@/api/types';

export const CATEGORIES = [
	'user_code',
	'type',
	'dependency',
	'policy',
	'network',
	'timeout',
	'memory',
	'sandbox',
	'busy',
	'unavailable',
	'internal',
] as const;

export interface Counted {
	name: string;
	count: number;
	last: Run;
}

export interface Bucket {
	from: number;
	counts: Record<string, number>;
	total: number;
}

export function counted(runs: readonly Run[], by: (run: Run) => string): Counted[] {
	const groups = new Map<string, Counted>();
	for (const run of runs) {
		const name = by(run);
		const known = groups.get(name);
		if (!known) groups.set(name, { name, count: 1, last: run });
		else {
			known.count += 1;
			if (run.ended > known.last.ended) known.last = run;
		}
	}
	return [...groups.values()].sort((a, b) => b.count - a.count || b.last.ended - a.last.ended);
}

export function bucketed(runs: readonly Run[], from: number, to: number, many: number): Bucket[] {
	const width = Math.max((to - from) / many, 1);
	const buckets = Array.from({ length: many }, (_, at): Bucket => ({
		from: from + at * width,
		counts: {},
		total: 0,
	}));
	for (const run of runs) {
		const bucket = buckets[Math.min(Math.floor((run.ended - from) / width), many - 1)];
		if (!bucket || run.ended < from) continue;
		bucket.counts[run.outcome] = (bucket.counts[run.outcome] ?? 0) + 1;
		bucket.total += 1;
	}
	return buckets;
}
