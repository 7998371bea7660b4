import statistics

values = [item["json"]["v"] for item in _items]
return [{"json": {
    "mean": statistics.mean(values),
    "median": statistics.median(values),
    "mode": statistics.mode(values),
    "stdev": statistics.pstdev(values),
    "min": min(values),
    "max": max(values),
}}]
