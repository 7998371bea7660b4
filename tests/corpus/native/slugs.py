import re
import unicodedata

def slug(text):
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")

_item["json"]["slug"] = slug(_item["json"]["title"])
return _item
