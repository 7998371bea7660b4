item['f'] = item['c'] * 9 / 5 + 32
return item
