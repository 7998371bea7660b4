/** Whether the runner is ready, and what each of its parts says; asked again while a page is seen. */
import { defineStore } from 'pinia';
import { readiness } from '@/api/calls';
import { useLoad } from '@/lib/load';

const EVERY_MS = 10_000;

export const useHealth = defineStore('health', () => {
	const { data, problem, reload } = useLoad((signal) => readiness(signal), { everyMs: EVERY_MS });
	return { data, problem, reload };
});
