out = []
for item in _input.all():
    for sku in item.json.skus:
        out.append({"json": {"order": item.json.order, "sku": sku}})
return out
