'use strict';

/*
 * Hook file for n8n (EXTERNAL_HOOK_FILES). It refuses to publish or to run a workflow in which a link between Qflow
 * nodes cannot work, lets the editor extension ask for the same check, and tells the runner when an execution is over.
 * It never refuses a save; while the runner is away or slow it refuses nothing. Every kind of n8n process loads it:
 * main, webhook, worker and command line.
 */

const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { readFile } = require('node:fs/promises');
const http = require('node:http');
const https = require('node:https');
const path = require('node:path');

const TIMEOUT_MS = 3_000;
const MAX_CHECK_CHARS = 16 * 1024 * 1024;
const CHECKS = { entries: 500, forMs: 10 * 60_000 };
const SESSIONS = { entries: 500, forMs: 30_000 };
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
	if (Date.now() - warnedAt >= WARN_EVERY_MS) {
		warnedAt = Date.now();
		const about = [settings.url, detail].filter(Boolean).join(', ');
		console.warn(`Qflow: links are not checked, everything is let through. The runner (${about}): ${why}.`);
	}
	return new NotCheckedError(`the Qflow runner: ${why}`);
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

async function refuseBadLinks(workflow) {
	const part = relevantPart(workflow);
	if (part === undefined) return;
	let answer;
	try {
		answer = await check(part);
	} catch (error) {
		if (error instanceof NotCheckedError) return;
		throw error;
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

/** Whether the caller is signed in to this n8n. n8n itself is asked, with the caller's cookie, twice a minute. */
async function isSignedIn(request, rest) {
	const cookie = /(?:^|;\s*)(n8n-auth=[^;]+)/.exec(request.headers.cookie ?? '')?.[1];
	if (cookie === undefined) return false;
	const headers = { cookie, 'browser-id': request.headers['browser-id'] ?? '' };
	const key = hash(JSON.stringify(headers));
	if (sessions.get(key)) return true;
	const signedIn = (await statusOf(request.socket, `/${rest}/active-workflows`, headers)) === 200;
	if (signedIn) sessions.set(key, true);
	return signedIn;
}

/** The status of a GET on the very address that a connection came in by. */
function statusOf(socket, route, headers) {
	const { localAddress: host, localPort: port, encrypted } = socket;
	// The certificate is not looked at: it is our own process that is called, and its certificate names no address.
	const options = { host, port, path: route, headers, timeout: TIMEOUT_MS, rejectUnauthorized: false };
	return new Promise((resolve) => {
		const call = (encrypted ? https : http).get(options, (response) => {
			response.resume();
			resolve(response.statusCode);
		});
		call.on('timeout', () => call.destroy());
		call.on('error', () => resolve(undefined));
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

function addRoutes(server) {
	if (typeof server?.app?.post !== 'function') return;
	const rest = server.restEndpoint ?? 'rest';
	// The page loads the script before anybody signs in; it holds nothing that is secret.
	server.app.get(`/${rest}/qflow/editor.js`, async (_request, response) => {
		const script = await readFile(path.join(__dirname, 'qflow-editor.js'), 'utf8');
		response.set('Cache-Control', 'no-cache').type('text/javascript').send(script);
	});
	server.app.post(`/${rest}/qflow/check`, (request, response, next) => {
		answerCheck(request, response, rest).catch(next);
	});
}

module.exports = {
	n8n: { ready: [async (server) => addRoutes(server)] },
	workflow: {
		activate: [refuseBadLinks],
		preExecute: [refuseBadLinks],
		postExecute: [async (run, workflow, executionId) => endSession(run, workflow, executionId)],
	},
};
