stamp = f"{_workflow.id}/{_execution.id}"
return [{"json": {"stamp": stamp, "year": _today.toFormat("yyyy") == str(_today.year)}}]
