labelled = []
for item in items:
	item['label'] = 'even' if item['a'] % 2 == 0 else 'odd'
	labelled.append(item)
return labelled
