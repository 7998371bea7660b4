# Bring the orders into the shape that the accounting system wants.
result = []
for item in _items:
    order = item["json"]
    result.append({
        "json": {
            "orderNumber": f"ORD-{order['id']:05d}",
            "buyer": order["customer"]["first"] + " " + order["customer"]["last"],
            "cents": round(float(order["amount"]) * 100),
        }
    })
return result
