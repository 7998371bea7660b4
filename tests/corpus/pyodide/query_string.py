from urllib.parse import urlparse, parse_qs

url = urlparse(_json["url"])
query = {name: values[0] if len(values) == 1 else values for name, values in parse_qs(url.query).items()}
return {"json": {"host": url.netloc, "path": url.path, "query": query}}
