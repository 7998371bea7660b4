"""What a node's code can ask of Qflow: files and pictures of the items, the run's context, and secrets.

    from qflow import Context, File, Image, Secret

Annotate a parameter with one of these, and it is given; none of them is a field of the node.
"""

from qflow._context import Context, Files
from qflow._file import File
from qflow._image import Image
from qflow._secret import Secret, Secrets

__all__ = ["Context", "File", "Files", "Image", "Secret", "Secrets"]
