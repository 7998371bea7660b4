size = 2
batches = [_items[start:start + size] for start in range(0, len(_items), size)]
return [{"json": {"batch": [entry["json"]["n"] for entry in batch]}} for batch in batches]
