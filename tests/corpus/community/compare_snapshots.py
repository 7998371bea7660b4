old = {i['id']: i['v'] for i in items if i['side'] == 'old'}
new = {i['id']: i['v'] for i in items if i['side'] == 'new'}

print('comparing', len(old), 'with', len(new))

changes = []
for key in sorted(old.keys() | new.keys()):
    if key not in new:
        changes.append({'id': key, 'change': 'removed'})
    elif key not in old:
        changes.append({'id': key, 'change': 'added'})
    elif old[key] != new[key]:
        changes.append({'id': key, 'change': 'changed', 'from': old[key], 'to': new[key]})
return changes
