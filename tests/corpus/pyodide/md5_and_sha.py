import hashlib

item = _input.item
item.json.md5 = hashlib.md5(item.json.id.encode()).hexdigest()
item.json.sha1 = hashlib.sha1(item.json.id.encode()).hexdigest()
return item
