"""Frames between reader and worker: 4 bytes of length (big-endian), then that much JSON.

A request that carries a document says its `size`, and the bytes follow the frame.
"""

import json
import struct
from typing import Any, BinaryIO, Final

LENGTH: Final = struct.Struct(">I")
# No honest frame comes near it: a page's text is capped, and so are its tables.
MAX_FRAME: Final = 64_000_000


def encode(message: dict[str, Any]) -> bytes:
    """One frame holding `message`."""
    body = json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    return LENGTH.pack(len(body)) + body


def receive(stream: BinaryIO) -> dict[str, Any] | None:
    """The next message of `stream`, or None at its end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    body = stream.read(LENGTH.unpack(head)[0])
    message: dict[str, Any] = json.loads(body)
    return message
