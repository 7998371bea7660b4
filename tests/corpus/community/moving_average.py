from collections import deque

window = deque(maxlen=3)
for item in items:
    window.append(item['v'])
    item['average'] = round(sum(window) / len(window), 2)
return items
