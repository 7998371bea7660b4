import math

total = _items[0]["json"]["total"]
per_page = _items[0]["json"]["perPage"]
pages = math.ceil(total / per_page)

return [
    {"json": {"page": page + 1, "offset": page * per_page, "limit": min(per_page, total - page * per_page)}}
    for page in range(pages)
]
