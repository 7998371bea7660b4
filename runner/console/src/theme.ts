/** Light and dark: as the system has it, or as a person chose. */
import { ref, watch } from 'vue';

export type Theme = 'system' | 'light' | 'dark';
const KEY = 'qflow.theme';
const system = matchMedia('(prefers-color-scheme: dark)');

function chosen(): Theme {
	const kept = localStorage.getItem(KEY);
	return kept === 'light' || kept === 'dark' ? kept : 'system';
}

export const theme = ref<Theme>(chosen());
export const dark = ref(false);

function apply(): void {
	dark.value = theme.value === 'dark' || (theme.value === 'system' && system.matches);
	document.documentElement.classList.toggle('dark', dark.value);
}

export function startTheme(): void {
	apply();
	system.addEventListener('change', apply);
	watch(theme, (value) => {
		if (value === 'system') localStorage.removeItem(KEY);
		else localStorage.setItem(KEY, value);
		apply();
	});
}
