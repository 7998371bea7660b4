total = 0
for line in _json.lines:
    total += line.qty * line.price

return {"json": {"lines": len(_json.lines), "total": total}}
