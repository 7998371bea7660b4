from decimal import Decimal, ROUND_HALF_UP

def gross(item):
    value = Decimal(str(item['net'])) * (1 + Decimal(str(item['vat'])))
    return float(value.quantize(Decimal('0.01'), rounding=ROUND_HALF_UP))

rows = [{'net': item['net'], 'gross': gross(item)} for item in items]
rows.append({'net': sum(r['net'] for r in rows), 'gross': round(sum(r['gross'] for r in rows), 2)})
return rows
