item = _input.item
item.json.fullName = f"{item.json.first} {item.json.last}"
return item
