import base64

text = _item["json"]["text"]
encoded = base64.b64encode(text.encode("utf-8")).decode("ascii")
return {"json": {"encoded": encoded, "decoded": base64.b64decode(encoded).decode("utf-8")}}
