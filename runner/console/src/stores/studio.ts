/** The draft that is being written. It outlives its page, and a token that was refused meanwhile. */
import { defineStore } from 'pinia';
import { ref } from 'vue';

export interface StudioDraft {
	code: string;
	function: string;
	python: string;
	requirements: string[];
	name: string;
	/** The saved version that it was made from; 0 for what has none. */
	version: number;
	items: string;
}

export const EXAMPLE = `def price(amount: float, rate: float = 0.2, currency: str = "EUR") -> dict:
    """Add tax to an amount."""
    tax = round(amount * rate, 2)
    print(f"{amount} {currency} + {tax} tax")
    return {"net": amount, "tax": tax, "gross": amount + tax, "currency": currency}
`;

export const useStudio = defineStore('studio', () => {
	const draft = ref<StudioDraft>({
		code: EXAMPLE,
		function: '',
		python: '',
		requirements: [],
		name: '',
		version: 0,
		items: '[{"amount": 100}, {"amount": 42.5}]',
	});

	function open(given: Partial<StudioDraft>): void {
		draft.value = {
			...draft.value,
			function: '',
			python: '',
			requirements: [],
			name: '',
			version: 0,
			...given,
		};
	}

	return { draft, open };
});
