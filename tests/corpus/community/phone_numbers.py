import re

for item in items:
    digits = re.sub(r'[^\d+]', '', item['phone'])
    if digits.startswith('0'):
        digits = '+49' + digits[1:]
    item['phone'] = digits
return items
