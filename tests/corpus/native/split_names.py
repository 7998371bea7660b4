parts = _item["json"]["name"].split()
_item["json"]["firstName"] = parts[0]
_item["json"]["middleName"] = " ".join(parts[1:-1])
_item["json"]["lastName"] = parts[-1] if len(parts) > 1 else ""
return _item
