import re
from collections import Counter

words = re.findall(r"\w+", _input.first().json.text.lower())
return [{"json": {"word": word, "count": count}} for word, count in Counter(words).most_common(2)]
