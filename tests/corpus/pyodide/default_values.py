for item in _input.all():
    item.json.country = item.json.get("country", "unknown")
    if not hasattr(item.json, "newsletter"):
        item.json["newsletter"] = False
return _input.all()
