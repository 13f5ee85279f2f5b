"""Image files for tests: valid images that Pillow writes, and PNGs that are built chunk by chunk."""

import io
import struct
import zlib

from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def draw(kind: str, width: int = 8, height: int = 6) -> bytes:
    """Return a red image in the file format `kind`, such as `JPEG`."""
    stream = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 30)).save(stream, kind)
    return stream.getvalue()


def chunk(name: bytes, content: bytes = b"") -> bytes:
    """Return a PNG chunk of the type `name`, with a correct checksum."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def header(width: int, height: int) -> bytes:
    """Return the header chunk of a PNG."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def png(width: int, height: int) -> bytes:
    """Return a PNG whose header states `width` and `height`, but whose pixel data has only one byte."""
    return SIGNATURE + header(width, height) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND")
