/** Figures, times and texts as a person reads them. */

export function duration(ms: number): string {
	if (!Number.isFinite(ms)) return '–';
	if (ms < 10) return `${ms.toFixed(1)} ms`;
	if (ms < 1_000) return `${ms.toFixed(0)} ms`;
	if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
	const minutes = Math.floor(ms / 60_000);
	if (minutes < 60) return `${String(minutes)} min ${String(Math.round((ms % 60_000) / 1_000))} s`;
	const hours = Math.floor(minutes / 60);
	return hours < 48
		? `${String(hours)} h ${String(minutes % 60)} min`
		: `${String(Math.floor(hours / 24))} d ${String(hours % 24)} h`;
}

export function bytes(count: number): string {
	if (!Number.isFinite(count)) return '–';
	let size = count;
	for (const unit of ['B', 'kB', 'MB', 'GB']) {
		if (size < 1_000 || unit === 'GB') {
			return `${unit === 'B' || size >= 100 ? size.toFixed(0) : size.toFixed(1)} ${unit}`;
		}
		size /= 1_000;
	}
	return '–';
}

export function megabytes(size: number | null | undefined): string {
	return size === null || size === undefined
		? '–'
		: `${size < 10 ? size.toFixed(1) : size.toFixed(0)} MB`;
}

export function count(value: number, one: string, many = `${one}s`): string {
	return `${value.toLocaleString('en')} ${value === 1 ? one : many}`;
}

const CLOCK = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const FULL = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'long' });

/** The time of day, with the day where it is another one than `now`'s. */
export function moment(at: number, now = Date.now()): string {
	const date = new Date(at);
	const today = date.toDateString() === new Date(now).toDateString();
	return today ? CLOCK.format(date) : `${DAY.format(date)}, ${CLOCK.format(date)}`;
}

export function fullMoment(at: number): string {
	return FULL.format(new Date(at));
}

export function ago(seconds: number): string {
	return seconds < 1 ? 'now' : `${duration(seconds * 1_000)} ago`;
}
