"""Names of saved definitions: shown as they were first written, found whatever their case."""

import unicodedata

from qflow_runner.errors import SavedNameInvalid

MAX_NAME = 200
"""Characters."""


def check_name(name: str) -> str:
    """`name`, where it can be one. Raises SavedNameInvalid."""
    if not 1 <= len(name) <= MAX_NAME:
        raise SavedNameInvalid(f"A name has 1 to {MAX_NAME} characters, and this one has {len(name)}.")
    if not name.isprintable():
        raise SavedNameInvalid("The name has a character that cannot be printed.")
    if name != name.strip():
        raise SavedNameInvalid("The name begins or ends with a space.")
    if name in {".", ".."}:
        raise SavedNameInvalid(f"'{name}' means a folder in an address, and so cannot be a name.")
    return name


def key_of(name: str) -> str:
    """What is the same for two spellings of one name: upper and lower case, composed and decomposed letters."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
