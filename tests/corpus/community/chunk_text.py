import textwrap

chunks = []
for item in items:
    for number, chunk in enumerate(textwrap.wrap(item['text'], 14)):
        chunks.append({'number': number, 'chunk': chunk})
return chunks
