/** What is known of an execution from its events alone, before its runs are recorded. */
import type { Happening, Json, LogLine } from '@/api/types';
import { bytes } from './format';

const READINGS = 600;
const NEWS = 500;
const PRINTED = 300;

export interface Reading {
	at: number;
	memoryMb: number;
	cpuMs: number;
	cpu: number;
}

export interface LiveNode {
	name: string;
	state: 'running' | 'installing' | 'ok' | 'skipped' | 'failed';
	outcome: string;
	started: number;
	ms: number;
	fraction: number | null;
	text: string;
	news: string[];
	/** The end of what its code printed; its record has all of it. */
	printed: LogLine[];
	readings: Reading[];
}

export interface LiveExecution {
	execution: string;
	started: number;
	nodes: Record<string, LiveNode>;
	running: number;
}

/** The execution after this event. */
export function told(
	known: LiveExecution | undefined,
	event: Happening,
	now: number,
): LiveExecution {
	const before = known?.nodes[event.node];
	const node = changed(before ?? fresh(event.node, now), event, now);
	const nodes = { ...known?.nodes, [event.node]: node };
	const running = Object.values(nodes).filter((each) => isRunning(each)).length;
	return { execution: event.execution, started: known?.started ?? now, nodes, running };
}

export function isRunning(node: LiveNode): boolean {
	return node.state === 'running' || node.state === 'installing';
}

function fresh(name: string, now: number): LiveNode {
	return {
		name,
		state: 'running',
		outcome: '',
		started: now,
		ms: 0,
		fraction: null,
		text: '',
		news: [],
		printed: [],
		readings: [],
	};
}

function changed(node: LiveNode, { kind, about }: Happening, now: number): LiveNode {
	switch (kind) {
		case 'started':
			return { ...fresh(node.name, now), readings: [] };
		case 'installing':
			return { ...node, state: 'installing', ...news(node, installing(about)) };
		case 'progress': {
			const fraction = typeof about.fraction === 'number' ? about.fraction : node.fraction;
			return { ...node, state: 'running', fraction, ...news(node, words(about.text)) };
		}
		case 'printed': {
			const stream = about.stream === 'stderr' ? 'stderr' : 'stdout';
			const printed = grown(node.printed, { stream, text: words(about.text) });
			return { ...node, state: 'running', printed: printed.slice(-PRINTED) };
		}
		case 'reading': {
			const next = reading(about, now, node.readings.at(-1));
			return { ...node, state: 'running', readings: [...node.readings, next].slice(-READINGS) };
		}
		case 'ended': {
			const outcome = words(about.outcome);
			const state = outcome === 'ok' || outcome === 'skipped' ? outcome : 'failed';
			return { ...node, state, outcome, ms: number(about.ms) };
		}
		default:
			return node;
	}
}

/** A line may come in several parts. */
function grown(parts: LogLine[], part: LogLine): LogLine[] {
	const last = parts.at(-1);
	if (!last || last.stream !== part.stream || last.text.endsWith('\n')) return [...parts, part];
	return [...parts.slice(0, -1), { ...last, text: last.text + part.text }];
}

function news(node: LiveNode, text: string): Partial<LiveNode> {
	return text ? { text, news: [...node.news, text].slice(-NEWS) } : {};
}

/** One line about an installation, from whichever figures are told. */
export function installing(about: Record<string, Json>): string {
	const [done, total] = [number(about.packages_done), number(about.packages_total)];
	const [had, whole] = [number(about.bytes_done), number(about.bytes_total)];
	return [
		words(about.phase) || 'installing',
		words(about.package),
		total ? `${String(done)} of ${String(total)} packages` : '',
		whole ? `${bytes(had)} of ${bytes(whole)}` : '',
		words(about.detail),
	]
		.filter(Boolean)
		.join(' · ');
}

/** CPU is told as time used so far: what is shown is the share of one CPU since the reading before. */
function reading(about: Record<string, Json>, at: number, before: Reading | undefined): Reading {
	const cpuMs = number(about.cpu_ms);
	const passed = before ? at - before.at : 0;
	const cpu = before && passed > 0 ? Math.max(0, (cpuMs - before.cpuMs) / passed) : 0;
	return { at, memoryMb: number(about.memory_mb), cpuMs, cpu };
}

function words(value: Json | undefined): string {
	return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function number(value: Json | undefined): number {
	return typeof value === 'number' ? value : 0;
}
