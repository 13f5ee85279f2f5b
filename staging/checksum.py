"""Checksums of files, as the manifest and S3's ETags use them."""

import hashlib
from pathlib import Path


def file_md5(path: Path) -> str:
    """MD5 of a file's content, in hexadecimal.

    MD5 because it is what the data set publishes and what S3 answers; it guards against damage, not malice.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
