/** The draft that is being written. It outlives its page, and a token that was refused meanwhile. */
import { defineStore } from 'pinia';
import { ref } from 'vue';

export interface StudioDraft {
	code: string;
	function: string;
	python: string;
	requirements: string[];
	name: string;
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
		items: '[{"amount": 100}, {"amount": 42.5}]',
	});

	function open(given: Partial<StudioDraft>): void {
		draft.value = {
			...draft.value,
			function: '',
			python: '',
			requirements: [],
			name: '',
			...given,
		};
	}

	return { draft, open };
});
