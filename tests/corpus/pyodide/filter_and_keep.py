items = _input.all()
threshold = 0.5
return [item for item in items if item.json.score > threshold]
