import random

random.seed(7)
chosen = random.sample(items, 2)
return [{'size': len(chosen), 'known': all(c in items for c in chosen)}]
