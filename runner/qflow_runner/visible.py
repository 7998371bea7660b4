"""Text that strangers wrote, so that a terminal only shows it: nothing in it acts, and nothing in it hides."""

import re

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""Control characters, those that turn the direction of what follows or take no room, and halves of pairs."""


def visible(text: str) -> str:
    """The text with a sign in the place of each such character. Lines and tabs stay; so does what is text in any script."""
    return text if text.isascii() and text.isprintable() else _HIDDEN.sub(_sign, text)


def _sign(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"<U+{code:04X}>"
