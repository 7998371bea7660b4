def flatten(value, prefix=""):
    if isinstance(value, dict):
        flat = {}
        for key, inner in value.items():
            flat.update(flatten(inner, f"{prefix}{key}."))
        return flat
    if isinstance(value, list):
        flat = {}
        for index, inner in enumerate(value):
            flat.update(flatten(inner, f"{prefix}{index}."))
        return flat
    return {prefix[:-1]: value}


return [{"json": flatten(item["json"])} for item in _items]
