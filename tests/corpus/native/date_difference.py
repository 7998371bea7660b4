from datetime import date, timedelta

start = date.fromisoformat(_item["json"]["start"])
end = date.fromisoformat(_item["json"]["end"])
working_days = 0
day = start
while day < end:
    if day.weekday() < 5:
        working_days += 1
    day += timedelta(days=1)

return {"json": {"days": (end - start).days, "workingDays": working_days}}
