out = {}
for key, value in _json.items():
    out[key.upper().replace(" ", "_")] = value
return {"json": out}
