/** Failed runs as the runner counted them, seen by category, by node, and in time. */
import type { FailureGroup, FailureSummary } from '@/api/types';

export interface Counted {
	name: string;
	count: number;
	/** The group with the newest of them. */
	last: FailureGroup;
}

export interface Bucket {
	from: number;
	counts: Record<string, number>;
	total: number;
}

export function counted(
	groups: readonly FailureGroup[],
	by: (group: FailureGroup) => string,
): Counted[] {
	const found = new Map<string, Counted>();
	for (const group of groups) {
		const name = by(group);
		const known = found.get(name);
		if (!known) found.set(name, { name, count: group.count, last: group });
		else {
			known.count += group.count;
			if (group.last > known.last.last) known.last = group;
		}
	}
	return [...found.values()].sort((a, b) => b.count - a.count || b.last.last - a.last.last);
}

export function bucketed({ groups, since, bucket_ms: width }: FailureSummary): Bucket[] {
	const many = Math.max(...groups.map((group) => group.buckets.length), 1);
	const buckets = Array.from({ length: many }, (_, at): Bucket => ({
		from: since + at * width,
		counts: {},
		total: 0,
	}));
	for (const group of groups)
		for (const [at, count] of group.buckets.entries()) {
			const bucket = buckets[at];
			if (!bucket || !count) continue;
			bucket.counts[group.category] = (bucket.counts[group.category] ?? 0) + count;
			bucket.total += count;
		}
	return buckets;
}
