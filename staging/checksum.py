"""Compute MD5 checksums, which the manifest, CIFAR's publisher and S3 use. They detect damage, but not tampering."""

import hashlib
from pathlib import Path


def content_md5(content: bytes) -> str:
    """Return the MD5 of bytes, in hexadecimal."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def file_md5(path: Path) -> str:
    """Return the MD5 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
