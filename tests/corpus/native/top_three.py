ranked = sorted(_items, key=lambda item: (-item["json"]["score"], item["json"]["player"]))

for place, item in enumerate(ranked, start=1):
    item["json"]["place"] = place

return ranked[:3]
