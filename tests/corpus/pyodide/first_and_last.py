return [{
    "json": {
        "from": _input.first().json.at,
        "to": _input.last().json.at,
        "count": len(_input.all()),
    }
}]
