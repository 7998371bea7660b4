import json

try:
    data = json.loads(_item["json"]["payload"])
    return {"json": {"ok": True, "userId": data["user"]["id"], "tags": data["user"]["tags"]}}
except (json.JSONDecodeError, KeyError) as error:
    return {"json": {"ok": False, "reason": type(error).__name__}}
