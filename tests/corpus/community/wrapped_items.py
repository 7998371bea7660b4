for item in items:
    item['json']['price'] = float(item['json']['price'].replace(',', '.'))
return items
