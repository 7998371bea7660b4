"""A file that is a picture."""

from typing import TYPE_CHECKING, Any

from qflow import _names
from qflow._file import File

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage


class Image(File):
    """A File with a picture in it."""

    _default_name = "image"

    @classmethod
    def from_pil(cls, picture: "PilImage", name: str = "", format: str = "") -> "Image":  # noqa: A002
        """A picture of Pillow's, as PNG unless it, or you, say otherwise."""
        content, mime = encoded(picture, format)
        return cls(name=name, mime=mime, content=content)

    def to_pil(self) -> "PilImage":
        """The picture for Pillow. Raises ValueError for what is none, or is too large when it is unpacked."""
        return decoded(self)


def decoded(file: File) -> Any:
    """The content read by Pillow, wholly. Raises ValueError with a sentence, ImportError without Pillow."""
    import warnings

    from PIL import Image as Pil

    stream = file.open()
    try:
        with warnings.catch_warnings():
            # Pillow warns of a picture that grows beyond its limit, and refuses one of twice that: we stop at the first.
            warnings.simplefilter("error", Pil.DecompressionBombWarning)
            picture = Pil.open(stream)
            picture.load()
    except (Pil.DecompressionBombWarning, Pil.DecompressionBombError):
        stream.close()
        limit = Pil.MAX_IMAGE_PIXELS or 0
        raise ValueError(
            "the picture '%s' has more than the %d million pixels that may be unpacked"
            % (file.name, limit // 1_000_000)
        ) from None
    except MemoryError:
        raise
    except Exception as error:  # decoders of many formats raise what they like for a broken content
        stream.close()
        told = "it is in no format that Pillow knows" if "Unidentified" in type(error).__name__ else error
        raise ValueError("the file '%s' is no picture that can be read: %s" % (file.name, told)) from None
    if getattr(picture, "n_frames", 1) == 1:
        stream.close()
    return picture


def encoded(picture: Any, format: str = "") -> "tuple[bytes, str]":  # noqa: A002
    """The content and the MIME type. In the picture's own format where it has one that can be written."""
    import io

    from PIL import Image as Pil

    own = (format or getattr(picture, "format", None) or "PNG").upper()
    own = "JPEG" if own in ("JPG", "MPO") else own
    Pil.init()
    if own not in Pil.SAVE:
        if format:
            raise ValueError("Pillow cannot write the format '%s'" % format)
        own = "PNG"
    frames = own in ("GIF", "PNG", "WEBP", "TIFF") and getattr(picture, "is_animated", False)
    options = {"save_all": True} if frames else {}
    if own == "JPEG" and type(picture).__name__ == "JpegImageFile":
        options = {"quality": "keep"}
    stream = io.BytesIO()
    try:
        picture.save(stream, format=own, **options)
    except (OSError, ValueError, KeyError):
        if format:
            raise
        # A mode that the format does not have, such as CMYK in PNG.
        own, stream = "PNG", io.BytesIO()
        picture.convert("RGBA" if "A" in picture.getbands() else "RGB").save(stream, format=own)
    content = stream.getvalue()
    return content, Pil.MIME.get(own) or _names.mime_of_content(content) or _names.UNKNOWN


Image.__module__ = "qflow"
