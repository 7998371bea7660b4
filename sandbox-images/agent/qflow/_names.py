"""Names and MIME types of files. Names come from strangers: what is made of them is for display, and safe as a file's."""

from typing import Optional, Tuple

MAX_NAME = 150
"""Bytes of a name; file systems end at 255."""

UNKNOWN = "application/octet-stream"

_BY_SUFFIX = {
    ".csv": "text/csv",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".gz": "application/gzip",
    ".html": "text/html",
    ".ics": "text/calendar",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".md": "text/markdown",
    ".mp3": "audio/mpeg",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".svg": "image/svg+xml",
    ".tif": "image/tiff",
    ".txt": "text/plain",
    ".webp": "image/webp",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xml": "application/xml",
    ".zip": "application/zip",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".ico": "image/x-icon",
    ".avif": "image/avif",
    ".heic": "image/heic",
}
"""The common ones, which Python's versions and a machine's own lists disagree on."""

_BY_MIME = {mime: suffix for suffix, mime in _BY_SUFFIX.items()}

_MAGIC: Tuple[Tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (0, b"\x00\x00\x01\x00", "image/x-icon"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypheic", "image/heic"),
    (0, b"BM", "image/bmp"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"PAR1", "application/vnd.apache.parquet"),
)
HEAD = 16
"""Bytes of a content that are looked at."""


def safe(name: object, fallback: str = "file") -> str:
    """The last part of `name` without what no name may hold, shortened before its extension."""
    text = name if isinstance(name, str) else ""
    text = text.replace("\\", "/").rpartition("/")[2]
    text = "".join(c for c in text if c.isprintable()).strip().rstrip(".")
    if not text.strip("."):
        return fallback
    encoded = text.encode("utf-8", "replace")
    if len(encoded) > MAX_NAME:
        suffix = split(text)[1]
        tail = suffix if len(suffix.encode()) <= 20 else ""
        text = encoded[: MAX_NAME - len(tail.encode())].decode("utf-8", "ignore") + tail
    return text


def split(name: str) -> Tuple[str, str]:
    """A name before its extension, and the extension with its dot; a leading dot makes none."""
    stem, dot, suffix = name.rpartition(".")
    return (stem, dot + suffix) if stem and suffix and " " not in suffix else (name, "")


def mime_of(name: str, head: bytes) -> str:
    """By the name's extension, else by the content's first bytes."""
    suffix = split(name)[1].lower()
    known = _BY_SUFFIX.get(suffix) or (_guessed(name) if suffix else None)
    return known or mime_of_content(head) or UNKNOWN


def mime_of_content(head: bytes) -> Optional[str]:
    return next((mime for at, magic, mime in _MAGIC if head[at : at + len(magic)] == magic), None)


def clean_mime(mime: object) -> str:
    """`mime` if it is one; anything else is none."""
    text = mime.strip().lower() if isinstance(mime, str) else ""
    kind, _, rest = text.partition("/")
    fine = kind.isalpha() and rest and len(text) <= 120 and text.isascii() and text.isprintable()
    return text if fine else ""


def with_suffix(name: str, mime: str) -> str:
    """The name, with the extension of `mime` where it has none."""
    if split(name)[1] or mime == UNKNOWN:
        return name
    if mime in _BY_MIME:
        return name + _BY_MIME[mime]
    import mimetypes

    return name + (mimetypes.guess_extension(mime.partition(";")[0].strip()) or "")


def _guessed(name: str) -> Optional[str]:
    import mimetypes

    # An address is split at its colon: only the name's end is asked about.
    mime, packed = mimetypes.guess_type("x" + split(name)[1])
    return "application/gzip" if packed == "gzip" else mime
