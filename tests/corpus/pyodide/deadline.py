from datetime import datetime, timedelta

item = _input.item
due = datetime.fromisoformat(item.json.created) + timedelta(days=item.json.days)
late = due.date() < _now.date()
item.json.due = due.strftime("%d.%m.%Y")
item.json.known = isinstance(late, bool)
return item
