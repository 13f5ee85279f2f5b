"""Checksums of files, in the form that the manifest and S3's ETags use."""

import hashlib
from pathlib import Path


def file_md5(path: Path) -> str:
    """Return the MD5 of a file's content, in hexadecimal.

    CIFAR's publisher and S3 both use MD5. It detects damage, not tampering.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
