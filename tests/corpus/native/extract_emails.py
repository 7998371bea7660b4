import re

EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")

return [
    {"json": {"email": address.lower(), "source": index}}
    for index, item in enumerate(_items)
    for address in EMAIL.findall(item["json"]["text"])
]
