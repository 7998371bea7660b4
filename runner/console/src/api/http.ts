/** Calls of the runner, with the token of this tab. A 401 ends the session; every other failure is a problem. */
import type { Problem } from './types';

export class ApiError extends Error {
	constructor(readonly problem: Problem) {
		super(problem.detail);
		this.name = 'ApiError';
	}

	/** The runner has no such call: it is older than these pages. */
	get isMissingCall(): boolean {
		const { code } = this.problem;
		return code === 'not_found' || code === 'method_not_allowed';
	}
}

export interface CallOptions {
	query?: Record<string, string | number | boolean | undefined>;
	body?: unknown;
	signal?: AbortSignal;
	/** What is not ready answers 503 with a body that says why. */
	accept?: readonly number[];
	/** In place of the session's, for one that is being tried. */
	token?: string;
}

interface Access {
	token(): string;
	refused(): void;
}

let access: Access = { token: () => '', refused: () => undefined };

/** Called once, by the store of the session. */
export function useAccess(given: Access): void {
	access = given;
}

export async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
	const response = await send(method, path, options);
	return (await response.json()) as T;
}

export async function blob(path: string, options: CallOptions = {}): Promise<Blob> {
	return (await send('GET', path, options)).blob();
}

/** An answer that is good; raises ApiError. */
export async function send(
	method: string,
	path: string,
	options: CallOptions = {},
): Promise<Response> {
	const token = options.token ?? access.token();
	const headers = new Headers();
	if (token) headers.set('Authorization', `Bearer ${token}`);
	if (options.body !== undefined) headers.set('Content-Type', 'application/json');
	let response: Response;
	try {
		response = await fetch(url(path, options.query), {
			method,
			headers,
			body: options.body === undefined ? null : JSON.stringify(options.body),
			signal: options.signal ?? null,
			credentials: 'omit',
			cache: 'no-store',
		});
	} catch (error) {
		if (options.signal?.aborted) throw error;
		throw new ApiError(away());
	}
	if (response.ok || options.accept?.includes(response.status)) return response;
	const problem = await problemOf(response);
	// A token that was changed meanwhile is not refused for the sake of an older call.
	if (response.status === 401 && token === access.token()) access.refused();
	throw new ApiError(problem);
}

function url(path: string, query: CallOptions['query'] = {}): string {
	const given = Object.entries(query).filter(
		([, value]) => value !== undefined && value !== '' && value !== false,
	);
	const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
	return text ? `${path}?${text}` : path;
}

async function problemOf(response: Response): Promise<Problem> {
	const given: unknown = await response.json().catch(() => undefined);
	const plain: Problem = {
		title: response.statusText,
		status: response.status,
		category: 'internal',
		code: 'no_problem',
		detail: `The runner answered ${String(response.status)} without saying why.`,
	};
	return typeof given === 'object' && given !== null && 'detail' in given
		? { ...plain, ...(given as Partial<Problem>) }
		: plain;
}

function away(): Problem {
	return {
		title: 'No answer',
		status: 0,
		category: 'unavailable',
		code: 'no_answer',
		detail: 'The runner does not answer.',
		hint: 'See whether it runs. The page tries again by itself where it shows live data.',
	};
}
