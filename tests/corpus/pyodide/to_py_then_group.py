from itertools import groupby

rows = [item["json"] for item in _input.all().to_py()]
rows.sort(key=lambda row: row["team"])

out = []
for team, members in groupby(rows, key=lambda row: row["team"]):
    out.append({"json": {"team": team, "points": sum(row["points"] for row in members)}})
return out
