from string import Template

template = Template("""Dear $name,

thank you for your order:
$lines

Total: $total EUR
""")

lines = "\n".join(f"  * {thing}" for thing in _item["json"]["items"])
text = template.substitute(name=_item["json"]["name"], lines=lines, total=f"{_item['json']['total']:.2f}")
return {"json": {"text": text}}
