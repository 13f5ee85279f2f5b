"""Upload a local image for classification, after the same checks as in the model's container."""

import stat
from pathlib import Path
from typing import Any
from uuid import uuid4

from common.errors import OperatorError
from training.container.classifier.images import MAX_BYTES, ImageError, read_image


class ImageFileError(OperatorError):
    """The file cannot be read, or the model does not accept it."""


def read_image_file(path: Path) -> bytes:
    """Return the content of an image file.

    Raises
    ------
    ImageFileError
        The file cannot be read, or the model's container would reject it.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageFileError(f"IMAGE must be a file (got {path}): name a JPEG or PNG, such as IMAGE=photo.jpg")
        if status.st_size > MAX_BYTES:
            raise ImageFileError(
                f"{path} must have at most {MAX_BYTES:,} bytes (got {status.st_size:,}): scale it down"
            )
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # a null byte in the path raises ValueError
        reason = error.strerror if isinstance(error, OSError) else error
        raise ImageFileError(f"{path} cannot be read: {reason}") from error
    try:
        read_image(content)
    except ImageError as error:
        raise ImageFileError(f"{path} cannot be classified: {error}") from error
    return content


def upload_image(content: bytes, name: str, *, bucket: str, prefix: str, s3: Any) -> str:
    """Upload an image to a new, unique key, and return the key.

    Parameters
    ----------
    name : the file's name; characters that are not valid UTF-8 are replaced, because S3 rejects them
    """
    key = f"{prefix}/{uuid4()}/{name.encode(errors='replace').decode()}"
    s3.put_object(Bucket=bucket, Key=key, Body=content)
    return key
