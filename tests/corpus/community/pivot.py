table = {}
for item in items:
    table.setdefault(item['month'], {'month': item['month']})[item['city']] = item['t']
return list(table.values())
