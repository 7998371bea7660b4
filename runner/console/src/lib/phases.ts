/** Where a run's time went, in the order in which it went there. */
import type { Run } from '@/api/types';

export const PHASES = [
	{ id: 'packages', label: 'Packages', of: ['packages_ms'] },
	{ id: 'waiting', label: 'Waiting for a sandbox', of: ['queue_ms', 'sandbox_ms'] },
	{ id: 'preparing', label: 'Loading and binding', of: ['load_ms', 'parse_ms', 'bind_ms'] },
	{ id: 'code', label: 'Your code', of: ['code_ms'] },
	{ id: 'encoding', label: 'Encoding', of: ['encode_ms'] },
] as const;

export type PhaseId = (typeof PHASES)[number]['id'] | 'other';

export interface Phase {
	id: PhaseId;
	label: string;
	ms: number;
}

export function phasesOf(run: Run): Phase[] {
	const phases: Phase[] = PHASES.map(({ id, label, of }) => ({
		id,
		label,
		ms: of.reduce((sum, name) => sum + run[name], 0),
	}));
	const known = phases.reduce((sum, phase) => sum + phase.ms, 0);
	const other = Math.max(0, run.ms - known);
	// A failure has no times by phase.
	if (other > 0.05 * run.ms || !known) phases.push({ id: 'other', label: 'Other', ms: other });
	return phases.filter((phase) => phase.ms > 0);
}

export interface Bar {
	run: Run;
	/** Shares of the whole, from 0 to 1. */
	from: number;
	width: number;
	phases: Phase[];
}

export interface Scale {
	start: number;
	ms: number;
}

export function barsOf(runs: readonly Run[]): { scale: Scale; bars: Bar[] } {
	const start = Math.min(...runs.map((run) => run.ended - run.ms));
	const end = Math.max(...runs.map((run) => run.ended));
	const ms = Math.max(end - start, 1);
	const bars = runs
		.map((run) => ({
			run,
			from: (run.ended - run.ms - start) / ms,
			width: Math.max(run.ms / ms, 0.004),
			phases: phasesOf(run),
		}))
		.sort((a, b) => a.from - b.from);
	return { scale: { start, ms }, bars };
}
