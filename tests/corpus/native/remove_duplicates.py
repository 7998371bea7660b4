seen = set()
unique = []
for item in _items:
    key = item["json"]["email"].strip().lower()
    if key in seen:
        continue
    seen.add(key)
    unique.append(item)
return unique
