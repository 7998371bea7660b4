/** The known types in the order of their kinship: each below what it is a kind of. */
import type { KnownType } from '@/api/types';

export interface TypeRow extends KnownType {
	depth: number;
}

export function typeTree(types: readonly KnownType[]): TypeRow[] {
	const names = new Set(types.map((type) => type.name));
	const rows: TypeRow[] = [];
	const below = (parent: string | null, depth: number) => {
		for (const type of types) {
			const own = type.parent !== null && names.has(type.parent) ? type.parent : null;
			if (own !== parent) continue;
			rows.push({ ...type, depth });
			below(type.name, depth + 1);
		}
	};
	below(null, 0);
	return rows;
}
