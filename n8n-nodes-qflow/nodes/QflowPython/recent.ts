/** A map that forgets what was used longest ago, so that a long-lived n8n process does not grow. */
export class Recent<Value> {
	private readonly known = new Map<string, Value>();

	constructor(private readonly size: number) {}

	get(key: string): Value | undefined {
		const value = this.known.get(key);
		if (value !== undefined) this.set(key, value);
		return value;
	}

	set(key: string, value: Value): void {
		this.known.delete(key);
		this.known.set(key, value);
		for (const oldest of this.known.keys()) {
			if (this.known.size <= this.size) return;
			this.known.delete(oldest);
		}
	}

	delete(key: string): void {
		this.known.delete(key);
	}
}
