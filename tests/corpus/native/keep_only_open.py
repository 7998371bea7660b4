if _item["json"]["status"] != "open":
    return None

return {"json": {"id": _item["json"]["id"]}}
