from datetime import datetime

items = sorted(items, key=lambda item: datetime.strptime(item['d'], '%d.%m.%Y'))
for item in items:
    item['iso'] = datetime.strptime(item['d'], '%d.%m.%Y').date().isoformat()
return items
