import csv
import io

buffer = io.StringIO()
writer = csv.DictWriter(buffer, fieldnames=['sku', 'qty'])
writer.writeheader()
writer.writerows(items)
return [{'csv': buffer.getvalue()}]
