import csv
import io

reader = csv.DictReader(io.StringIO(_items[0]["json"]["csv"]), delimiter=";")
rows = []
for row in reader:
    row["stock"] = int(row["stock"])
    rows.append({"json": dict(row)})
return rows
