/** Does every job, at most `limit` at a time. After the first failure none is begun, and it is thrown. */
export async function forEach<Job>(
	jobs: Job[],
	limit: number,
	work: (job: Job) => Promise<void>,
): Promise<void> {
	const left = jobs.values();
	let ended = false;
	async function worker(): Promise<void> {
		for (const job of left) {
			if (ended) return;
			await work(job);
		}
	}
	const workers = Array.from({ length: Math.min(limit, jobs.length) }, worker);
	await Promise.all(workers).finally(() => {
		ended = true;
	});
}
