/** A call that waits until nobody asked for it for a while, and then happens once. */
import { getCurrentScope, onScopeDispose } from 'vue';

export function later(act: () => void, ms: number): () => void {
	let timer: ReturnType<typeof setTimeout> | undefined;
	if (getCurrentScope()) {
		onScopeDispose(() => {
			clearTimeout(timer);
		});
	}
	return () => {
		clearTimeout(timer);
		timer = setTimeout(act, ms);
	};
}
