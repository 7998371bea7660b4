return [item for item in items if item['age'] >= 18]
