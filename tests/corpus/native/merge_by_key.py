merged = {}
for item in _items:
    record = item["json"]
    merged.setdefault(record["id"], {}).update(record)

return [{"json": record} for record in merged.values()]
