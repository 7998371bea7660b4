/*
 * Editor extension for n8n (EXTERNAL_FRONTEND_HOOKS_URLS), in two parts that know nothing of each other. The first
 * colours the links between Qflow nodes by whether they fit, explains them on hover, and takes away a link that cannot
 * work at the moment in which it is drawn. The second, at the end, shows how far a run is while it lasts.
 *
 * The verdicts come from the hook file's route in n8n; no token is here. n8n's editor promises nothing about its
 * inside: all that is needed of it is named in `documentOf`, and where something else is found, or anything fails
 * later, the extension takes itself out of the page without a word.
 */
(() => {
	'use strict';

	const SETTLE_MS = 300;
	const BATCH_MS = 30;
	const RETRY_MS = 15_000;
	const TOAST_MS = 20_000;
	const MAX_OFFERS = 4;

	/** From the best to the worst. Where two links share a wire, the worst is shown. */
	const VERDICTS = {
		assignable: { title: 'Fits', colour: 'light-dark(#1a8754, #46c28a)', dashes: 'none' },
		convertible: { title: 'Fits, converted', colour: 'light-dark(#2b6cd4, #6ea8fe)', dashes: 'none' },
		unchecked: { title: 'Not known yet', colour: 'light-dark(#767b85, #9aa0ab)', dashes: '2 6' },
		incompatible: { title: 'Cannot work', colour: 'light-dark(#d32f2f, #ff6b6b)', dashes: '10 5' },
	};
	const SEVERITY = Object.keys(VERDICTS);

	const isActiveQflow = (node) => /\.qflowPython$/.test(node.type) && !node.disabled;
	const isObject = (value) => typeof value === 'object' && value !== null;

	// --- n8n's editor ---------------------------------------------------------------------------------------------

	/** The open workflow, as n8n passes it to its frontend hooks; undefined where that has another form. */
	function documentOf(hookStore) {
		const store = hookStore?.workflowDocumentStore;
		const calls = ['onNodesChange', 'onConnectionsChange', 'removeConnection'];
		const isKnown =
			isObject(store) &&
			Array.isArray(store.allNodes) &&
			isObject(store.connectionsBySourceNode) &&
			calls.every((name) => typeof store[name] === 'function');
		return isKnown && /\/workflow\/[^/]/.test(location.pathname) ? store : undefined;
	}

	/** What n8n would save of the open workflow, as far as links depend on it. */
	function workflowOf(store) {
		const nodes = store.allNodes.map(({ id, name, type, parameters, disabled, onError }) => ({
			id,
			name,
			type,
			parameters,
			disabled,
			onError,
		}));
		return { nodes, connections: store.connectionsBySourceNode };
	}

	/** The wires that leave a node: {from, output, to, input}, of n8n's kind "main". */
	function wiresFrom(connections, from) {
		const outputs = connections[from]?.main ?? [];
		return outputs.flatMap((targets, output) =>
			(targets ?? [])
				.filter((target) => target.type === 'main')
				.map((target) => ({ from, output, to: target.node, input: target.index })),
		);
	}

	const wiresBetween = (connections, from, to) => wiresFrom(connections, from).filter((wire) => wire.to === to);

	/** The wires that a link runs over: one, or those by way of the nodes that hand items on. */
	function wiresOf(link, connections) {
		const stations = [link.from, ...(link.path ?? []), link.to];
		const last = stations.length - 2;
		return stations
			.slice(1)
			.flatMap((to, index) =>
				wiresBetween(connections, stations[index], to).filter(
					(wire) => (index > 0 || wire.output === link.output) && (index < last || wire.input === link.input),
				),
			);
	}

	/** How the canvas names a wire. By ids, so a node that is renamed keeps its wires. */
	function edgeId({ from, output, to, input }, ids) {
		return `[${ids.get(from)}/outputs/main/${output}][${ids.get(to)}/inputs/main/${input}]`;
	}

	const wireOf = ([source, target]) => ({
		from: source.node,
		output: source.index,
		to: target.node,
		input: target.index,
	});
	const idsOf = (nodes) => new Map(nodes.map(({ name, id }) => [name, id]));

	/** The ids of a workflow's nodes, and its edges. */
	function whatIsIn({ nodes, connections }) {
		const ids = idsOf(nodes);
		const edges = new Set();
		for (const from of Object.keys(connections)) {
			for (const wire of wiresFrom(connections, from)) edges.add(edgeId(wire, ids));
		}
		return { nodes: new Set(ids.values()), edges };
	}

	// --- asking ---------------------------------------------------------------------------------------------------

	function checkUrl() {
		const named = document.querySelector('meta[name="n8n:config:rest-endpoint"]')?.content;
		const rest = named ? atob(named) : 'rest';
		return new URL(`${window.BASE_PATH ?? '/'}${rest}/qflow/check`, location.origin).href;
	}

	/** {answer}, or {away: sentence} while the runner is away, or {} where n8n has no hook file or nobody is signed in. */
	async function ask(body) {
		const headers = {
			'Content-Type': 'application/json',
			// n8n ties its cookie to this.
			'browser-id': localStorage.getItem('n8n-browserId') ?? '',
		};
		let response;
		let answer;
		try {
			response = await fetch(checkUrl(), { method: 'POST', headers, body });
			answer = await response.json();
		} catch {
			return {}; // n8n itself is away, and says so
		}
		if (response.status === 503) return { away: String(answer?.message ?? 'Links are not checked.') };
		return response.ok && Array.isArray(answer?.links) ? { answer } : {};
	}

	// --- one open workflow ----------------------------------------------------------------------------------------

	class OpenWorkflow {
		edges = new Map(); // the canvas's name of a wire -> the worst link that runs over it
		#marked = new Set(); // ids of nodes that carry our issue
		#listeners;
		#timer;
		#isClosed = false;
		#batch; // wires that were added in this moment
		#drawn = new Map(); // edge -> connection: drawn by a person, and not judged yet
		#checked; // what the last answer was about
		#latest = 0;
		#knownNodes = new Set();
		#knownEdges = new Set(); // a wire that was here before is not taken away when undo brings it back

		constructor(store) {
			this.store = store;
			this.#listeners = [
				store.onNodesChange(guarded(() => this.checkSoon())),
				store.onConnectionsChange(guarded((event) => this.#onWires(event))),
			];
			this.checkSoon(0);
		}

		close() {
			this.#isClosed = true;
			clearTimeout(this.#timer);
			for (const listener of this.#listeners) listener?.off?.();
			this.#show([]);
		}

		checkSoon(delay = SETTLE_MS) {
			if (this.#isClosed) return;
			clearTimeout(this.#timer);
			this.#timer = setTimeout(
				guarded(() => this.#check()),
				delay,
			);
		}

		/**
		 * A wire that comes alone was drawn. Several at once were pasted, or brought back, or belong to a node that
		 * was put between two others.
		 */
		#onWires(event) {
			const connection = event?.payload?.connection;
			const isWire = connection?.length === 2 && connection.every((end) => end?.type === 'main');
			if (event?.action === 'add' && isWire) {
				this.#batch ??= this.#openBatch();
				this.#batch.push(connection);
			}
			this.checkSoon();
		}

		#openBatch() {
			const batch = [];
			const end = () => {
				this.#batch = undefined;
				if (batch.length === 1 && this.#isNew(batch[0])) this.#drawn.set(this.#edgeOf(batch[0]), batch[0]);
				this.checkSoon(0);
			};
			setTimeout(guarded(end), BATCH_MS);
			return batch;
		}

		/** Not one that was here before, and not one that came together with both its nodes. */
		#isNew(connection) {
			const ids = idsOf(this.store.allNodes);
			const cameWithItsNodes = connection.every((end) => !this.#knownNodes.has(ids.get(end.node)));
			return !this.#knownEdges.has(this.#edgeOf(connection)) && !cameWithItsNodes;
		}

		#edgeOf(connection) {
			return edgeId(wireOf(connection), idsOf(this.store.allNodes));
		}

		async #check() {
			if (this.#batch !== undefined) return; // its end asks for a check
			const workflow = workflowOf(this.store);
			const seen = whatIsIn(workflow);
			const number = ++this.#latest;
			const body = JSON.stringify(workflow);
			if (body === this.#checked) {
				this.#markNodes();
				return;
			}
			const { answer, away } = workflow.nodes.some(isActiveQflow) ? await ask(body) : { answer: { links: [] } };
			// Changed meanwhile: a later check speaks, and judges what this one would have.
			if (number !== this.#latest || this.#isClosed) return;
			const refused = this.#takeBack(seen.edges, answer);
			this.#checked = answer === undefined || refused.size > 0 ? undefined : body;
			for (const id of seen.nodes) this.#knownNodes.add(id);
			for (const edge of seen.edges) this.#knownEdges.add(edge);
			for (const edge of refused.keys()) this.#knownEdges.delete(edge);
			this.#show((answer?.links ?? []).filter((link) => link.verdict in VERDICTS));
			if (away === undefined) notice.hide();
			else this.#waitForRunner(away);
		}

		#waitForRunner(sentence) {
			notice.show(sentence);
			const again = guarded(() => this.checkSoon(0));
			clearTimeout(this.#timer);
			this.#timer = setTimeout(() => {
				if (document.hidden) document.addEventListener('visibilitychange', again, { once: true });
				else again();
			}, RETRY_MS);
		}

		/** Takes back the wires that were drawn and cannot work: edge -> its link. Without an answer all may stay. */
		#takeBack(seenEdges, answer) {
			const refused = new Map();
			for (const [edge, connection] of this.#drawn) {
				if (!seenEdges.has(edge)) continue;
				this.#drawn.delete(edge);
				const link = this.#worstLinks(answer?.links ?? []).get(edge);
				if (link?.verdict !== 'incompatible') continue;
				refused.set(edge, link);
				const offers = this.#offers(link, answer);
				this.store.removeConnection({ connection });
				refusal.show(link, offers);
			}
			return refused;
		}

		/** What the source could feed instead: functions that nodes of this workflow have. */
		#offers(link, answer) {
			const fitting = (answer.suggestions ?? []).find((each) => each.from === link.from)?.functions ?? [];
			const signatures = new Map((answer.nodes ?? []).map(({ name, signature }) => [name, signature]));
			return fitting
				.filter(({ node }) => wiresBetween(this.store.connectionsBySourceNode, link.from, node).length === 0)
				.slice(0, MAX_OFFERS)
				.map(({ node, signature }) => ({
					node,
					signature,
					// Only the function that the node calls can be linked to; another one must be chosen there first.
					draw:
						signatures.get(node) === signature && typeof this.store.addConnection === 'function'
							? guarded(() => this.#draw(link, node))
							: undefined,
				}));
		}

		#draw(link, node) {
			const source = { node: link.from, type: 'main', index: link.output };
			this.store.addConnection({ connection: [source, { node, type: 'main', index: 0 }] });
		}

		#show(links) {
			this.edges = this.#worstLinks(links);
			paint(this.edges);
			this.#markNodes();
		}

		/** By edge, for the wires that there are now. */
		#worstLinks(links) {
			const ids = idsOf(this.store.allNodes);
			const found = new Map();
			for (const link of [...links].sort((a, b) => SEVERITY.indexOf(a.verdict) - SEVERITY.indexOf(b.verdict))) {
				for (const wire of wiresOf(link, this.store.connectionsBySourceNode)) found.set(edgeId(wire, ids), link);
			}
			return found;
		}

		/** n8n shows our issue with its own, and forgets it now and then when it looks for its own anew. */
		#markNodes() {
			if (typeof this.store.setNodeIssue !== 'function') return;
			const wanted = new Map();
			for (const link of this.edges.values()) {
				if (link.verdict === 'incompatible') wanted.set(link.to_id, link.reason);
			}
			for (const node of this.store.allNodes) {
				const reason = wanted.get(node.id);
				const { qflow, ...others } = node.issues?.input ?? {};
				if (reason !== undefined) {
					this.#marked.add(node.id);
					if (qflow?.[0] !== reason) this.#setIssue(node, { ...others, qflow: [reason] });
				} else if (this.#marked.delete(node.id)) {
					this.#setIssue(node, Object.keys(others).length > 0 ? others : null);
				}
			}
		}

		#setIssue(node, value) {
			this.store.setNodeIssue({ node: node.name, type: 'input', value });
		}
	}

	// --- what people see ------------------------------------------------------------------------------------------

	const COLOURS = SEVERITY.map((name) => `--qflow-${name}: ${VERDICTS[name].colour};`).join(' ');
	const BOXES = `
:root { ${COLOURS} }
.qflow-box { position: fixed; z-index: 2100; box-sizing: border-box; max-width: 27rem; padding: 12px 16px;
	border: 1px solid light-dark(#d9dce3, #45484f); border-radius: 8px; box-shadow: 0 4px 16px rgb(0 0 0 / 16%);
	background: light-dark(#fff, #26282d); color: light-dark(#2a2d34, #e6e8ec); text-align: left;
	font: 13px/1.45 var(--font-family, InterVariable, system-ui, sans-serif); overflow-wrap: anywhere; }
.qflow-box[hidden] { display: none; }
.qflow-box p { margin: 6px 0 0; }
.qflow-box code { font: 12px/1.5 var(--font-family--monospace, CommitMono, ui-monospace, monospace); }
.qflow-muted { color: light-dark(#626873, #a9aeb8); }
.qflow-title { display: flex; align-items: center; gap: 8px; font-weight: 600; }
.qflow-dot { flex: none; width: 9px; height: 9px; border-radius: 50%; background: var(--qflow-dot); }
.qflow-tooltip { pointer-events: none; }
.qflow-legend { display: flex; flex-wrap: wrap; gap: 2px 14px; margin-top: 10px; padding-top: 8px; font-size: 11px;
	border-top: 1px solid light-dark(#e6e8ee, #3b3e45); }
.qflow-legend span { display: flex; align-items: center; gap: 6px; }
.qflow-legend .qflow-dot { width: 7px; height: 7px; }
.qflow-refusal { max-width: 33rem; right: 24px; bottom: 24px; padding-right: 44px; border-left: 4px solid var(--qflow-incompatible); }
.qflow-refusal ul { margin: 6px 0 0; padding: 0; list-style: none; }
.qflow-refusal li { display: flex; align-items: baseline; gap: 10px; margin-top: 6px; }
.qflow-refusal button { font: inherit; color: inherit; background: none; border: 0; border-radius: 4px; cursor: pointer; }
.qflow-refusal button:focus-visible { outline: 2px solid var(--qflow-convertible); }
.qflow-close { position: absolute; top: 8px; right: 8px; width: 28px; height: 28px; font-size: 18px !important; line-height: 1 !important; }
.qflow-refusal .qflow-draw { flex: none; padding: 2px 10px; border: 1px solid light-dark(#c5c9d2, #5a5e67); font-weight: 600; }
.qflow-notice { right: 24px; top: 76px; padding: 6px 12px; border-left: 4px solid var(--qflow-unchecked); font-size: 12px; }
`;

	function element(tag, className = '', ...children) {
		const made = document.createElement(tag);
		made.className = className;
		made.append(...children.filter((child) => child !== undefined));
		return made;
	}

	function dot(verdict) {
		const made = element('span', 'qflow-dot');
		made.style.setProperty('--qflow-dot', `var(--qflow-${verdict})`);
		return made;
	}

	/** A box that is put into the page when it is first needed, and stays there for assistive technology to watch. */
	function box(className, role) {
		const made = element('div', `qflow-box ${className}`);
		made.setAttribute('role', role);
		made.hidden = true;
		return made;
	}

	const style = element('style');

	function paint(edges) {
		const rules = SEVERITY.map((verdict) => {
			const painted = [...edges].filter(([, link]) => link.verdict === verdict).map(([edge]) => pathOf(edge));
			const { dashes } = VERDICTS[verdict];
			return painted.length === 0
				? ''
				: `${painted.join(',\n')} { stroke: var(--qflow-${verdict}) !important; stroke-width: 2.5px !important; stroke-dasharray: ${dashes} !important; }`;
		});
		if (!style.isConnected) document.head.append(style);
		style.textContent = `${BOXES}${rules.join('\n')}`;
	}

	function pathOf(edge) {
		return `.vue-flow__edge[data-id="${edge.replace(/["\\]/g, '\\$&')}"] path.vue-flow__edge-path`;
	}

	/** On hover, or when an edge has the keyboard's focus: what a link's colour means. */
	const tooltip = {
		box: box('qflow-tooltip', 'tooltip'),

		show(link, x, y) {
			const takes = link.parameter ? `${link.parameter}: ${link.target}` : link.target;
			const path = (link.path ?? []).length > 0 ? ` by way of ${link.path.join(', ')}` : '';
			this.box.replaceChildren(
				element('div', 'qflow-title', dot(link.verdict), VERDICTS[link.verdict].title),
				element('p', '', element('code', '', `${link.source || 'unknown'} → ${takes || 'unknown'}`)),
				element('p', 'qflow-muted', `${link.from} → ${link.to}${path}`),
				link.reason ? element('p', '', link.reason) : '',
				link.suggestion ? element('p', '', link.suggestion) : '',
				element('div', 'qflow-legend qflow-muted', ...SEVERITY.map(legendEntry)),
			);
			if (!this.box.isConnected) document.body.append(this.box);
			this.box.hidden = false;
			const { width, height } = this.box.getBoundingClientRect();
			// Below the pointer, so that n8n's own buttons on the wire stay free.
			const top = y + 28 + height > innerHeight ? y - 28 - height : y + 28;
			this.box.style.left = `${Math.max(8, Math.min(x - width / 2, innerWidth - width - 8))}px`;
			this.box.style.top = `${Math.max(8, top)}px`;
		},

		hide() {
			this.box.hidden = true;
		},
	};

	function legendEntry(verdict) {
		return element('span', '', dot(verdict), VERDICTS[verdict].title);
	}

	/** Says why a link was taken away, and what would fit. It waits while somebody reads it. */
	const refusal = {
		box: box('qflow-refusal', 'alert'),
		timer: undefined,

		show(link, offers) {
			const close = element('button', 'qflow-close', '×');
			close.type = 'button';
			close.setAttribute('aria-label', 'Close');
			close.addEventListener('click', () => this.hide());
			this.box.replaceChildren(
				close,
				element('div', 'qflow-title', dot('incompatible'), 'This link cannot work, so it was taken away'),
				element('p', '', link.reason),
				link.suggestion ? element('p', '', link.suggestion) : '',
				...(offers.length > 0 ? [element('p', 'qflow-muted', `These take what '${link.from}' gives:`)] : []),
				element('ul', '', ...offers.map((offer) => this.offered(offer))),
			);
			if (!this.box.isConnected) {
				document.body.append(this.box);
				this.box.addEventListener('pointerenter', () => clearTimeout(this.timer));
				this.box.addEventListener('focusin', () => clearTimeout(this.timer));
				this.box.addEventListener('pointerleave', () => this.hideLater());
			}
			this.box.hidden = false;
			this.hideLater();
		},

		offered({ node, signature, draw }) {
			const code = element('code', '', signature);
			if (draw === undefined) {
				return element('li', '', code, element('span', 'qflow-muted', `once it is chosen in '${node}'`));
			}
			const button = element('button', 'qflow-draw', `Link to '${node}'`);
			button.type = 'button';
			button.addEventListener('click', () => {
				this.hide();
				draw();
			});
			return element('li', '', button, code);
		},

		hideLater() {
			clearTimeout(this.timer);
			this.timer = setTimeout(() => this.hide(), TOAST_MS);
		},

		hide() {
			clearTimeout(this.timer);
			this.box.hidden = true;
		},
	};

	const notice = {
		box: box('qflow-notice', 'status'),

		show(sentence) {
			if (!this.box.isConnected) document.body.append(this.box);
			this.box.hidden = false;
			if (this.box.textContent !== sentence) this.box.textContent = sentence;
		},

		hide() {
			this.box.hidden = true;
		},
	};

	// --- start and end --------------------------------------------------------------------------------------------

	let open;
	let isOver = false;

	/** The one guard: whatever fails here ends the extension, and n8n's editor goes on as without it. */
	function guarded(work) {
		const end = () => {
			isOver = true;
			try {
				leave();
			} catch {
				// What is left of it does nothing.
			}
			for (const each of [style, tooltip.box, refusal.box, notice.box]) each.remove();
		};
		return (...given) => {
			if (isOver) return;
			try {
				const result = work(...given);
				if (typeof result?.catch === 'function') result.catch(end);
			} catch {
				end();
			}
		};
	}

	function leave() {
		const left = open;
		open = undefined;
		for (const each of [tooltip, refusal, notice]) each.hide();
		left?.close();
	}

	function onPageChange(hookStore) {
		const store = documentOf(hookStore);
		if (store === open?.store) {
			open?.checkSoon();
			return;
		}
		leave();
		if (store !== undefined) open = new OpenWorkflow(store);
	}

	function linkAt(target) {
		const edge = target instanceof Element ? target.closest('.vue-flow__edge') : null;
		return edge === null ? undefined : open?.edges.get(edge.dataset.id);
	}

	function onPointer(event) {
		// n8n lays the buttons of an edge beside it, not into it: over them, what is explained stays.
		if (event.target instanceof Element && event.target.closest('.vue-flow__edge-labels') !== null) return;
		const link = linkAt(event.target);
		if (link === undefined) tooltip.hide();
		else tooltip.show(link, event.clientX, event.clientY);
	}

	function onFocus(event) {
		const link = linkAt(event.target);
		if (link === undefined || !event.target.matches(':focus-visible')) return;
		const { left, top, width, height } = event.target.getBoundingClientRect();
		tooltip.show(link, left + width / 2, top + height / 2);
	}

	/** n8n calls these with its store when something happened in its editor; what they return is ignored. */
	const hooks = (window.n8nExternalHooks ??= {});
	for (const [group, event] of [
		['main', 'routeChange'],
		['workflow', 'open'],
		['nodeView', 'mount'],
	]) {
		((hooks[group] ??= {})[event] ??= []).push(guarded(onPageChange));
	}
	document.addEventListener('pointerover', guarded(onPointer));
	document.addEventListener('focusin', guarded(onFocus));
	for (const event of ['pointerdown', 'wheel', 'keydown', 'focusout']) {
		document.addEventListener(
			event,
			guarded(() => tooltip.hide()),
			{ passive: true, capture: true },
		);
	}
})();

/*
 * How far runs of Qflow nodes are: beneath each node, while it lasts, what is being installed for it or what its code
 * says. The page hears it from the hook file's route, as long as an execution of the open workflow runs. All that is
 * needed of n8n's inside is in `stateOf` and `placeOf`; where there is something else, nothing is shown.
 */
(() => {
	'use strict';

	/** As the node cuts the name that it gives to the runner. */
	const NAME_LENGTH = 200;
	const UNFINISHED_CHARS = 1024 * 1024;
	const KEEP_MS = 1_000;

	const PHASES = {
		resolve: 'choosing versions',
		download: 'downloading',
		install: 'installing',
		compile: 'compiling',
		verify: 'checking',
	};

	// --- n8n's editor ---------------------------------------------------------------------------------------------

	/** What n8n knows of the open workflow's executions: a store beside the workflow's own, made when first needed. */
	function stateOf(workflow) {
		if (!Array.isArray(workflow?.allNodes) || !/\/workflow\/[^/]/.test(location.pathname)) return undefined;
		const id = String(workflow.$id).replace(/^workflowDocuments\//, 'workflowExecutionStates/');
		const state = workflow._p?._s?.get?.(id);
		const isKnown = state !== workflow && typeof state?.$onAction === 'function' && 'activeExecutionId' in state;
		return isKnown ? state : undefined;
	}

	const shortName = (name) => Array.from(name).slice(0, NAME_LENGTH).join('');
	const isActiveQflow = (node) => /\.qflowPython$/.test(node.type) && !node.disabled;

	/** A node on the canvas, by the name that the runner has. */
	function placeOf(name) {
		const drawn = document.querySelectorAll('[data-test-id="canvas-node"]');
		return [...drawn].find((node) => shortName(node.dataset.nodeName ?? '') === name);
	}

	// --- what is told ---------------------------------------------------------------------------------------------

	/** What to show of an event: {text, fraction?}; nothing ends what was shown; undefined changes nothing. */
	function shownOf(kind, about) {
		if (kind === 'ended') return null;
		if (kind === 'progress') {
			const fraction = typeof about.fraction === 'number' ? about.fraction : undefined;
			const percent = fraction === undefined ? '' : `${Math.round(fraction * 100)} %`;
			return { text: [percent, about.text].filter(Boolean).join(' ') || 'running', fraction };
		}
		if (kind !== 'installing') return undefined;
		const { phase, package: name, packages_done: done, packages_total: of, bytes_done: had, bytes_total: all } = about;
		if (!(phase in PHASES)) return null;
		const isDownload = phase === 'download';
		const count = isDownload && done > 0 && of > 0 ? ` · ${done} of ${of}` : '';
		const packages = of > 0 && phase !== 'resolve' ? ` ${of} package${of === 1 ? '' : 's'}` : '';
		const what = isDownload && name ? ` ${name}` : packages;
		const part = all > 0 ? had / all : done / of; // not every index tells sizes
		return { text: `${PHASES[phase]}${what}${count}`, fraction: isDownload && part > 0 ? Math.min(part, 1) : undefined };
	}

	/** Calls `take` with each event's kind and content until the stream ends. Rejects when it is cut off. */
	async function listen(execution, signal, take) {
		const named = document.querySelector('meta[name="n8n:config:rest-endpoint"]')?.content;
		const route = `${named ? atob(named) : 'rest'}/qflow/executions/${encodeURIComponent(execution)}/events`;
		const url = new URL(`${window.BASE_PATH ?? '/'}${route}`, location.origin);
		// n8n ties its cookie to this, and an EventSource cannot send it.
		const headers = { Accept: 'text/event-stream', 'browser-id': localStorage.getItem('n8n-browserId') ?? '' };
		const response = await fetch(url, { headers, signal });
		if (!response.ok || !/^text\/event-stream/.test(response.headers.get('Content-Type') ?? '')) return;
		const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
		let rest = '';
		for (;;) {
			const { done, value } = await reader.read();
			if (done) return;
			const blocks = (rest + value).split('\n\n');
			rest = blocks.pop();
			if (rest.length > UNFINISHED_CHARS) return;
			for (const block of blocks) {
				const kind = /^event: (\w+)$/m.exec(block)?.[1];
				const data = /^data: (.*)$/m.exec(block)?.[1];
				if (kind !== undefined && data !== undefined) take(kind, JSON.parse(data));
			}
		}
	}

	// --- what people see ------------------------------------------------------------------------------------------

	const STYLE = `
.qflow-progress { position: absolute; left: 50%; top: calc(100% + var(--qflow-below, 6px)); z-index: 3; translate: -50% 0;
	box-sizing: border-box; width: max-content; min-width: 92px; max-width: 210px; padding: 3px 8px 5px; border-radius: 6px;
	border: 1px solid light-dark(#d9dce3, #45484f); background: light-dark(#fff, #26282d); color: light-dark(#4c525d, #c9cdd5);
	font: 11px/1.35 var(--font-family, InterVariable, system-ui, sans-serif); text-align: center; pointer-events: none;
	animation: qflow-appear .15s .25s both; }
.qflow-progress span { display: block; overflow: hidden; white-space: nowrap; text-overflow: ellipsis; }
.qflow-progress i { display: block; height: 3px; margin-top: 3px; overflow: hidden; border-radius: 2px;
	background: light-dark(#e4e6eb, #3d4047); }
.qflow-progress i::before { content: ''; display: block; height: 100%; width: var(--qflow-done, 35%); border-radius: inherit;
	background: light-dark(#2b6cd4, #6ea8fe); transition: width .2s; }
.qflow-progress i.qflow-unknown::before { animation: qflow-to-and-fro 1.6s ease-in-out infinite alternate; }
.qflow-said { position: fixed; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@keyframes qflow-appear { from { opacity: 0; } }
@keyframes qflow-to-and-fro { from { translate: 0; } to { translate: 186%; } }
@media (prefers-reduced-motion: reduce) {
	.qflow-progress { animation-duration: 1ms; }
	.qflow-progress i::before { transition: none; }
	.qflow-progress i.qflow-unknown::before { animation: none; width: 100%; opacity: .45; }
}
`;
	const style = document.createElement('style');
	style.textContent = STYLE;
	/** Where assistive technology hears what the badges say; of a percentage only that there is one. */
	const said = document.createElement('div');
	said.className = 'qflow-said';
	said.setAttribute('role', 'status');
	said.setAttribute('aria-live', 'polite');

	class Badge {
		#box = document.createElement('div');
		#text = document.createElement('span');
		#bar = document.createElement('i');
		#heard = '';

		constructor(name) {
			this.name = name;
			this.#box.className = 'qflow-progress';
			this.#box.setAttribute('aria-hidden', 'true');
			this.#box.append(this.#text, this.#bar);
		}

		show({ text, fraction }) {
			this.#text.textContent = text;
			this.#bar.className = fraction === undefined ? 'qflow-unknown' : '';
			if (fraction === undefined) this.#bar.style.removeProperty('--qflow-done');
			else this.#bar.style.setProperty('--qflow-done', `${Math.round(fraction * 1000) / 10}%`);
			this.place();
			const heard = `${this.name}: ${text.replace(/^\d+ %\s*/, '') || 'running'}`;
			if (heard !== this.#heard) said.textContent = this.#heard = heard;
		}

		/** n8n draws a node anew now and then, as when it comes back into view. */
		place() {
			const place = placeOf(this.name);
			if (place === undefined || this.#box.parentElement === place) return;
			// Beneath all that n8n draws of it, as its name; sizes on the screen are those of the canvas times its zoom.
			const { bottom, height } = place.getBoundingClientRect();
			const lowest = Math.max(...[...place.querySelectorAll('*')].map((each) => each.getBoundingClientRect().bottom), bottom);
			const below = height > 0 ? ((lowest - bottom) / height) * place.offsetHeight : 0;
			this.#box.style.setProperty('--qflow-below', `${Math.round(below) + 6}px`);
			place.append(this.#box);
		}

		remove() {
			this.#box.remove();
		}
	}

	// --- one open workflow ----------------------------------------------------------------------------------------

	class Runs {
		#workflow;
		#execution;
		#listening;
		#badges = new Map();
		#keeping;
		#off;

		constructor(workflow, state) {
			this.state = state;
			this.#workflow = workflow;
			const look = guarded(() => this.#look());
			this.#off = state.$onAction(({ after }) => {
				queueMicrotask(look); // what it changes at once, and what it changes in the end
				after(look);
			}, true);
			look();
		}

		close() {
			this.#off?.();
			this.#end();
		}

		#look() {
			const id = this.state.activeExecutionId;
			const execution = typeof id === 'string' && id !== '' ? id : undefined;
			if (execution === this.#execution) return;
			this.#end();
			this.#execution = execution;
			if (execution === undefined || !this.#workflow.allNodes.some(isActiveQflow)) return;
			for (const each of [style, said]) if (!each.isConnected) document.body.append(each);
			const listening = (this.#listening = new AbortController());
			const take = (kind, about) => {
				if (!listening.signal.aborted) this.#take(kind, about);
			};
			const end = () => {
				if (this.#listening === listening) this.#clear();
			};
			// Cut off, or a runner that is away: nothing more is known, so nothing is shown.
			listen(execution, listening.signal, guarded(take)).then(end, end);
		}

		#take(kind, about) {
			const shown = shownOf(kind, about);
			const name = String(about.node ?? '');
			if (shown === undefined) return;
			if (shown === null) {
				this.#badges.get(name)?.remove();
				this.#badges.delete(name);
				return;
			}
			if (!this.#workflow.allNodes.some((node) => isActiveQflow(node) && shortName(node.name) === name)) return;
			if (!this.#badges.has(name)) this.#badges.set(name, new Badge(name));
			this.#badges.get(name).show(shown);
			this.#keeping ??= setInterval(
				guarded(() => this.#badges.forEach((badge) => badge.place())),
				KEEP_MS,
			);
		}

		#clear() {
			clearInterval(this.#keeping);
			this.#keeping = undefined;
			for (const badge of this.#badges.values()) badge.remove();
			this.#badges.clear();
			said.textContent = '';
		}

		#end() {
			this.#listening?.abort();
			this.#listening = undefined;
			this.#clear();
		}
	}

	// --- start and end --------------------------------------------------------------------------------------------

	let open;
	let isOver = false;

	/** Whatever fails here ends this part of the extension alone. */
	function guarded(work) {
		return (...given) => {
			if (isOver) return;
			try {
				work(...given);
			} catch {
				isOver = true;
				try {
					open?.close();
				} catch {
					// What is left of it does nothing.
				}
				for (const each of [style, said]) each.remove();
			}
		};
	}

	function onEditor(hookStore) {
		const workflow = hookStore?.workflowDocumentStore;
		const state = stateOf(workflow);
		if (state === open?.state) return;
		open?.close();
		open = state === undefined ? undefined : new Runs(workflow, state);
	}

	const hooks = (window.n8nExternalHooks ??= {});
	for (const [group, event] of [
		['main', 'routeChange'],
		['workflow', 'open'],
		['nodeView', 'mount'],
		['nodeView', 'onRunNode'],
		['nodeView', 'onRunWorkflow'],
		['workflowRun', 'runWorkflow'],
	]) {
		((hooks[group] ??= {})[event] ??= []).push(guarded(onEditor));
	}
})();
