'use strict';

/*
 * Hook file for n8n (EXTERNAL_HOOK_FILES). It refuses to publish or to run a workflow in which a link between Qflow
 * nodes cannot work, lets the editor extension ask for the same check and watch an execution, and tells the runner when
 * an execution is over.
 * It never refuses a save; while the runner is away or slow it refuses nothing. Every kind of n8n process loads it:
 * main, webhook, worker and command line.
 */

const { createHash } = require('node:crypto');
const { once } = require('node:events');
const { readFileSync } = require('node:fs');
const { readFile } = require('node:fs/promises');
const http = require('node:http');
const https = require('node:https');
const path = require('node:path');

const TIMEOUT_MS = 3_000;
const MAX_CHECK_CHARS = 16 * 1024 * 1024;
const CHECKS = { entries: 500, forMs: 10 * 60_000 };
const SESSIONS = { entries: 500, forMs: 30_000 };
/** Streams of progress: in this process, and for one browser. The runner says at least each 15 seconds that it is there. */
const STREAMS = { all: 100, each: 4, forMs: 60 * 60_000, silentMs: 45_000 };
const LOOKED_AT_CHARS = 4096;
/** After a failure nobody waits for the runner again for this long, so a dead one does not slow every run down. */
const REST_AFTER_FAILURE_MS = 5_000;
const WARN_EVERY_MS = 60_000;
const NAMED_LINKS = 3;
const MAX_SETTING_CHARS = 64;

// --- settings -------------------------------------------------------------------------------------------------------

const settings = readSettings();

/** The runner's address and token: from the environment, else from qflow.json beside this file. */
function readSettings() {
	let file = {};
	try {
		file = JSON.parse(readFileSync(path.join(__dirname, 'qflow.json'), 'utf8')) ?? {};
	} catch (error) {
		if (error.code !== 'ENOENT') console.warn(`Qflow: qflow.json cannot be read (${error.code ?? 'it is no JSON'}).`);
	}
	const token = process.env.QFLOW_TOKEN || file.token || '';
	// n8n can be set to show its environment to expressions and to Code nodes; the token is not for them.
	delete process.env.QFLOW_TOKEN;
	return { url: String(process.env.QFLOW_URL || file.url || '').replace(/\/+$/, ''), token: String(token) };
}

// --- what is remembered ---------------------------------------------------------------------------------------------

/** A map that drops what is old, and the oldest entry when it is full. */
class Memory {
	#entries = new Map();
	#limits;

	constructor(limits) {
		this.#limits = limits;
	}

	get(key) {
		const entry = this.#entries.get(key);
		return entry !== undefined && entry.until > Date.now() ? entry.value : undefined;
	}

	set(key, value) {
		this.#entries.delete(key);
		this.#entries.set(key, { value, until: Date.now() + this.#limits.forMs });
		if (this.#entries.size > this.#limits.entries) this.delete(this.#entries.keys().next().value);
	}

	delete(key) {
		this.#entries.delete(key);
	}
}

const hash = (text) => createHash('sha256').update(text).digest('base64');

// --- the check ------------------------------------------------------------------------------------------------------

const isQflow = (node) => /\.qflowPython$/.test(node?.type ?? '');

/**
 * What a check depends on, or undefined when there is no Qflow node. n8n hands workflows out in two forms: as it
 * stores them, and as it runs them, where the nodes are an object by name.
 */
function relevantPart({ id, name, nodes, connections, connectionsBySourceNode }) {
	const listed = Array.isArray(nodes) ? nodes : Object.values(nodes ?? {});
	if (!listed.some((node) => isQflow(node) && !node.disabled)) return undefined;
	return {
		id: id ? String(id) : undefined,
		name: String(name ?? ''),
		nodes: listed.map((node) => ({
			name: node.name,
			type: node.type,
			id: node.id,
			disabled: node.disabled === true,
			onError: node.onError ?? '',
			parameters: isQflow(node) ? node.parameters : plainSettings(node.parameters),
		})),
		connections: connections ?? connectionsBySourceNode ?? {},
	};
}

/** Of another node only settings such as its mode: whether it hands items on is all that the check asks of it. */
function plainSettings(parameters) {
	const isPlain = (value) =>
		typeof value === 'string' ? value.length <= MAX_SETTING_CHARS : ['number', 'boolean'].includes(typeof value);
	return Object.fromEntries(Object.entries(parameters ?? {}).filter(([, value]) => isPlain(value)));
}

/** The runner gave no verdict. The message is for people: it names no address and no token. */
class NotCheckedError extends Error {
	name = 'NotCheckedError';
}

const checks = new Memory(CHECKS);
let restUntil = 0;
let lastFailure;
let warnedAt = -Infinity;

/** The runner's answer for a relevant part; the same question is asked once. Rejects with NotCheckedError. */
function check(part) {
	const body = JSON.stringify(part);
	if (body.length > MAX_CHECK_CHARS) return Promise.reject(new NotCheckedError('this workflow is too large'));
	// Its name and id change no verdict.
	const key = hash(JSON.stringify([part.nodes, part.connections]));
	const known = checks.get(key);
	if (known !== undefined) return known;
	if (Date.now() < restUntil) return Promise.reject(lastFailure);
	const asked = askRunner(body).catch((error) => {
		checks.delete(key);
		restUntil = Date.now() + REST_AFTER_FAILURE_MS;
		lastFailure = error;
		throw error;
	});
	checks.set(key, asked);
	return asked;
}

async function askRunner(body) {
	if (!settings.url) throw notChecked('its address is not set (QFLOW_URL, or qflow.json beside the hook file)');
	let response;
	let answer;
	try {
		response = await fetch(`${settings.url}/v1/workflows/check`, {
			method: 'POST',
			redirect: 'error',
			headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${settings.token}` },
			body,
			signal: AbortSignal.timeout(TIMEOUT_MS),
		});
		answer = await response.json();
	} catch (error) {
		if (error.name === 'TimeoutError') throw notChecked('it did not answer in time');
		if (response === undefined) throw notChecked('it does not answer', error.cause?.code);
		throw notChecked('its answer cannot be read');
	}
	if (response.status === 401 || response.status === 403) throw notChecked("it refuses n8n's token");
	if (!response.ok) throw notChecked(`it answered with status ${response.status}`);
	if (!Array.isArray(answer?.links)) throw notChecked('its answer cannot be read');
	return answer;
}

function notChecked(why, detail) {
	const about = [settings.url, detail].filter(Boolean).join(', ');
	warn(`the runner (${about}): ${why}`);
	return new NotCheckedError(`the Qflow runner: ${why}`);
}

function warn(why) {
	if (Date.now() - warnedAt < WARN_EVERY_MS) return;
	warnedAt = Date.now();
	console.warn(`Qflow: links are not checked, everything is let through: ${why}.`);
}

// --- publish and run ------------------------------------------------------------------------------------------------

/** An error that n8n answers with this status, and whose message people see. */
class LinkRefusedError extends Error {
	name = 'LinkRefusedError';
	httpStatusCode = 422;
	errorCode = 422;

	constructor(links) {
		const sentences = links.slice(0, NAMED_LINKS).map((link) => `${link.reason} ${link.suggestion ?? ''}`.trim());
		const others = links.length - sentences.length;
		if (others > 0) sentences.push(`${others} more ${others === 1 ? 'link' : 'links'} cannot work.`);
		super(`Qflow: ${sentences.join(' ')}`);
		this.description = sentences.join('\n');
		this.nodeId = links[0].to_id;
		// n8n logs the trace of what a hook throws; ours would say nothing to its reader.
		this.stack = `${this.name}: ${this.message}`;
	}
}

/** n8n names no workflow where it hands an execution to its workers, or tells of one that failed before it began. */
async function refuseBadLinks(workflow) {
	if (!workflow) return;
	let answer;
	try {
		const part = relevantPart(workflow);
		if (part === undefined) return;
		answer = await check(part);
	} catch (error) {
		// What this file does not understand of an n8n must not stop it.
		if (!(error instanceof NotCheckedError)) warn(`this hook file cannot read the workflow: ${error.message}`);
		return;
	}
	const refused = answer.links.filter((link) => link.verdict === 'incompatible');
	if (refused.length > 0) throw new LinkRefusedError(refused);
}

// --- the end of an execution ----------------------------------------------------------------------------------------

/** Executions from the editor, whose objects "Execute step" may ask for later. */
const KEPT_MODES = ['manual', 'evaluation', 'chat'];

/** Frees what the execution holds in the runner. Nobody waits for it: unused sessions end by themselves as well. */
function endSession(run, workflow, executionId) {
	const waits = run?.waitTill != null || run?.status === 'waiting';
	if (!settings.url || !executionId || waits || KEPT_MODES.includes(run?.mode)) return;
	const nodes = Array.isArray(workflow?.nodes) ? workflow.nodes : Object.values(workflow?.nodes ?? {});
	if (!nodes.some(isQflow) || Date.now() < restUntil) return;
	fetch(`${settings.url}/v1/executions/${encodeURIComponent(executionId)}/session`, {
		method: 'DELETE',
		redirect: 'error',
		headers: { Authorization: `Bearer ${settings.token}` },
		signal: AbortSignal.timeout(TIMEOUT_MS),
	}).catch(() => {
		restUntil = Date.now() + REST_AFTER_FAILURE_MS;
		lastFailure = new NotCheckedError('the Qflow runner: it does not answer');
	});
}

// --- routes for the editor extension --------------------------------------------------------------------------------

const sessions = new Memory(SESSIONS);

/** Who calls: what n8n knows them by, and a name to remember them by. Undefined without n8n's cookie. */
function callerOf(request) {
	const cookie = /(?:^|;\s*)(n8n-auth=[^;]+)/.exec(request.headers.cookie ?? '')?.[1];
	if (cookie === undefined) return undefined;
	const headers = { cookie, 'browser-id': request.headers['browser-id'] ?? '' };
	return { headers, key: hash(JSON.stringify(headers)) };
}

/** Whether the caller is signed in to this n8n. n8n itself is asked, with the caller's cookie, twice a minute. */
async function isSignedIn(request, rest) {
	const caller = callerOf(request);
	if (caller === undefined) return false;
	if (sessions.get(caller.key)) return true;
	const signedIn = (await askItself(request.socket, `/${rest}/active-workflows`, caller.headers)).status === 200;
	if (signedIn) sessions.set(caller.key, true);
	return signedIn;
}

/** Status and beginning of the answer to a GET, on the very address that a connection came in by. */
function askItself(socket, route, headers) {
	const { localAddress: host, localPort: port, encrypted } = socket;
	// The certificate is not looked at: it is our own process that is called, and its certificate names no address.
	const options = { host, port, path: route, headers, timeout: TIMEOUT_MS, rejectUnauthorized: false };
	return new Promise((resolve) => {
		let text = '';
		const call = (encrypted ? https : http).get(options, (response) => {
			const end = () => resolve({ status: response.statusCode, text });
			response.setEncoding('utf8');
			response.on('data', (part) => {
				if (text.length < LOOKED_AT_CHARS) text += part;
				else call.destroy();
			});
			response.on('close', end);
		});
		call.setTimeout(TIMEOUT_MS, () => call.destroy());
		call.on('error', () => resolve({ text }));
	});
}

async function answerCheck(request, response, rest) {
	if (!(await isSignedIn(request, rest))) {
		response.status(401).json({ message: 'Sign in to n8n first.' });
		return;
	}
	const workflow = request.body; // n8n has parsed it, within its own limit of size
	if (!Array.isArray(workflow?.nodes) || !workflow.nodes.every((node) => typeof node?.name === 'string')) {
		response.status(400).json({ message: 'The body is not a workflow.' });
		return;
	}
	const part = relevantPart(workflow);
	try {
		response.json(part === undefined ? { ok: true, links: [], nodes: [], suggestions: [] } : await check(part));
	} catch (error) {
		if (!(error instanceof NotCheckedError)) throw error;
		response.status(503).json({ message: `Links are not checked: ${error.message}.` });
	}
}

// --- progress of an execution, for the editor extension -------------------------------------------------------------

const visible = new Memory(SESSIONS);
/** Those that are open: what ends each, and whose it is. */
const streams = new Map();

/**
 * Whether the caller may see this execution. n8n is asked, who answers with status 200 also where there is none: only
 * an answer that names it counts. The names before its id are n8n's own.
 */
async function maySee(request, rest, caller, id) {
	const key = hash(JSON.stringify([caller.key, id]));
	if (visible.get(key)) return true;
	const { status, text } = await askItself(request.socket, `/${rest}/executions/${id}`, caller.headers);
	const named = /^\{"data":\{(?:"\w+":(?:"[^"\\]*"|[\w.-]+),)*?"id":"?([\w-]+)"?[,}]/.exec(text)?.[1];
	const seen = status === 200 && named === id;
	if (seen) visible.set(key, true);
	return seen;
}

/** Sends on what the runner tells of an execution, until the page hangs up, the runner is silent, or an hour is over. */
async function answerEvents(request, response, rest) {
	const { id } = request.params;
	const caller = callerOf(request);
	const refuse = (status, message) => response.status(status).json({ message });
	if (caller === undefined) return refuse(401, 'Sign in to n8n first.');
	if (!/^[\w-]{1,64}$/.test(id)) return refuse(404, 'There is no such execution.');
	if (!settings.url || Date.now() < restUntil) return refuse(503, 'The Qflow runner is away.');
	const own = [...streams.values()].filter((whose) => whose === caller.key).length;
	if (streams.size >= STREAMS.all || own >= STREAMS.each) return refuse(429, 'Too many streams of progress are open.');
	const ending = new AbortController();
	const stop = () => ending.abort();
	streams.set(stop, caller.key);
	response.on('close', stop);
	try {
		if (!(await maySee(request, rest, caller, id))) return refuse(404, 'There is no such execution.');
		await relay(`${settings.url}/v1/executions/${id}/events`, response, ending);
	} finally {
		stop();
		streams.delete(stop);
	}
}

async function relay(url, response, ending) {
	const { signal } = ending;
	const waiting = setTimeout(() => ending.abort(), TIMEOUT_MS);
	const over = setTimeout(() => ending.abort(), STREAMS.forMs);
	let silent;
	try {
		const headers = { Authorization: `Bearer ${settings.token}`, Accept: 'text/event-stream' };
		const upstream = await fetch(url, { redirect: 'error', headers, signal });
		clearTimeout(waiting);
		if (!upstream.ok || !/^text\/event-stream/.test(upstream.headers.get('Content-Type') ?? '')) {
			throw new Error('The runner has no such stream.');
		}
		// Compressing it would hold it back.
		response.set({ 'Cache-Control': 'no-store, no-transform', 'X-Accel-Buffering': 'no' });
		response.type('text/event-stream').flushHeaders();
		silent = setTimeout(() => ending.abort(), STREAMS.silentMs);
		for await (const part of upstream.body) {
			silent.refresh();
			if (!response.write(part)) await once(response, 'drain', { signal });
		}
	} catch {
		// The runner is away, or the page: what the stream was for is a convenience.
		if (!response.headersSent && !response.destroyed) response.status(503).json({ message: 'The Qflow runner is away.' });
	} finally {
		for (const timer of [waiting, over, silent]) clearTimeout(timer);
		response.end();
	}
}

/** n8n waits for its open connections when it stops. */
function endStreams() {
	for (const stop of streams.keys()) stop();
}

function addRoutes(server) {
	if (typeof server?.app?.post !== 'function') return;
	const rest = server.restEndpoint ?? 'rest';
	// The page loads the script before anybody signs in; it holds nothing that is secret.
	server.app.get(`/${rest}/qflow/editor.js`, async (_request, response) => {
		const script = await readFile(path.join(__dirname, 'qflow-editor.js'), 'utf8');
		response.set('Cache-Control', 'no-cache').type('text/javascript').send(script);
	});
	server.app.get(`/${rest}/qflow/executions/:id/events`, (request, response, next) => {
		answerEvents(request, response, rest).catch(next);
	});
	server.app.post(`/${rest}/qflow/check`, (request, response, next) => {
		answerCheck(request, response, rest).catch(next);
	});
}

module.exports = {
	n8n: { ready: [async (server) => addRoutes(server)], stop: [async () => endStreams()] },
	workflow: {
		activate: [refuseBadLinks],
		preExecute: [refuseBadLinks],
		postExecute: [async (run, workflow, executionId) => endSession(run, workflow, executionId)],
	},
};
