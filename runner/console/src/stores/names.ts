/** What n8n calls its workflows: records hold their ids, and people know their names. */
import { defineStore } from 'pinia';
import { computed } from 'vue';
import { workflows } from '@/api/calls';
import { useLoad } from '@/lib/load';

const EVERY_MS = 60_000;

export const useNames = defineStore('names', () => {
	const list = useLoad((signal) => workflows(signal), { everyMs: EVERY_MS });
	const known = computed(() => list.data.value?.workflows.filter((each) => each.name) ?? []);
	const names = computed(() => new Map(known.value.map((each) => [each.id, each.name])));
	const ids = computed(() => new Map(known.value.map((each) => [each.name, each.id])));
	const asked = new Set<string>();

	/** The runner may have heard of it since. */
	function want(id: string): void {
		if (names.value.has(id) || asked.has(id)) return;
		asked.add(id);
		if (list.data.value) void list.reload();
	}

	/** Its id, where the runner knows no name. */
	const nameOf = (id: string) => names.value.get(id) ?? id;
	/** Of what a person typed: a name, or an id. */
	const idOf = (text: string) => ids.value.get(text) ?? text;

	return { want, nameOf, idOf };
});
