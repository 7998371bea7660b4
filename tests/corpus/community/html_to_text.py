from html.parser import HTMLParser

class Text(HTMLParser):
    def __init__(self):
        super().__init__()
        self.parts = []

    def handle_data(self, data):
        self.parts.append(data)

def to_text(html):
    parser = Text()
    parser.feed(html)
    return ' '.join(part.strip() for part in parser.parts)

return [{'text': to_text(item['html'])} for item in items]
