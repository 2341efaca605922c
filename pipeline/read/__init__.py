"""Reading documents: bytes in, pages of text with honest outcomes out.

PDF parsers run only in a child process (`worker`), so importing this package loads none of them.
"""

from pipeline.read.paths import read_paths
from pipeline.read.place import locate, render_quote
from pipeline.read.reader import Reader, read_document
from pipeline.read.result import EXTRACTOR_VERSION, PlaceError, ReadLimits, ReadPathError, ReadResult
from pipeline.read.text import squash

__all__ = [
    "EXTRACTOR_VERSION",
    "PlaceError",
    "ReadLimits",
    "ReadPathError",
    "ReadResult",
    "Reader",
    "locate",
    "read_document",
    "read_paths",
    "render_quote",
    "squash",
]
