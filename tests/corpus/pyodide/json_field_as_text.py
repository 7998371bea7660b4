import json

item = _input.first()
text = json.dumps(item.json.data.to_py(), sort_keys=True)
return [{"json": {"text": text, "size": len(text)}}]
