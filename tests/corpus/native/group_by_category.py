from collections import defaultdict

groups = defaultdict(list)
for item in _items:
    groups[item["json"]["category"]].append(item["json"]["price"])

return [
    {"json": {"category": name, "count": len(prices), "total": sum(prices)}}
    for name, prices in sorted(groups.items())
]
