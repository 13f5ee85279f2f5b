"""Serialize: read an image from S3 and pass it on as base64, once it is sure to be a small PNG or JPEG."""

import base64
import logging
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

# Base64 makes 4 bytes of 3, and the state has room for the keys beside it: Step Functions' limit is 262,144
# bytes (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html)
MAX_BYTES = 180_000
MAX_PIXELS = 4096 * 4096
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"
JPEG_END = b"\xff\xd9"
# Start-of-frame markers, which carry the size: ITU-T T.81, table B.1
JPEG_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
JPEG_SCAN = 0xDA

s3 = boto3.client("s3")
logger = logging.getLogger()


class EventError(Exception):
    """The event does not name an image."""


class ImageMissingError(Exception):
    """There is no such object."""


class ImageEmptyError(Exception):
    """The object has no bytes."""


class ImageTooLargeError(Exception):
    """The object has more bytes or pixels than the workflow carries."""


class ImageFormatError(Exception):
    """The object is neither a PNG nor a JPEG."""


class ImageInvalidError(Exception):
    """The object begins as an image and is broken."""


def handler(event: Any, context: object) -> dict[str, Any]:
    """Read `s3_key` from `s3_bucket`.

    Returns
    -------
    dict
        `statusCode` 200 and the body: `image_data` (base64), `s3_bucket`, `s3_key`, `inferences` (empty).

    Raises
    ------
    EventError, ImageMissingError, ImageEmptyError, ImageTooLargeError, ImageFormatError, ImageInvalidError
        Each as its name says.
    """
    bucket, key = address(event)
    logger.info("reads", extra={"execution": event.get("execution"), "image": f"s3://{bucket}/{key}"})
    image = read(bucket, key)
    check(image, f"s3://{bucket}/{key}")
    body = {
        "image_data": base64.b64encode(image).decode("ascii"),
        "s3_bucket": bucket,
        "s3_key": key,
        "inferences": [],
    }
    return {"statusCode": 200, "body": body}


def address(event: Any) -> tuple[str, str]:
    """The bucket and the key in the event, or in its body."""
    body = event.get("body", event) if isinstance(event, Mapping) else None
    if not isinstance(body, Mapping):
        raise EventError("the event must be an object with s3_bucket and s3_key")
    for name in ("s3_bucket", "s3_key"):
        if not isinstance(body.get(name), str) or not body[name]:
            raise EventError(f"the event must have {name}, a text that is not empty")
    return body["s3_bucket"], body["s3_key"]


def read(bucket: str, key: str) -> bytes:
    """The object, whose size is known before a byte of it is read."""
    place = f"s3://{bucket}/{key}"
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket", "404"):
            raise ImageMissingError(f"there is no {place}") from error
        raise
    size = answer["ContentLength"]
    if size == 0:
        raise ImageEmptyError(f"{place} is empty")
    if size > MAX_BYTES:
        raise ImageTooLargeError(f"{place} has {size} bytes, and the workflow carries {MAX_BYTES}")
    content: bytes = answer["Body"].read()
    return content


def check(image: bytes, place: str) -> None:
    """Refuse what is no image, as far as this can be told without decoding it."""
    if image.startswith(PNG_SIGNATURE):
        size = png_size
    elif image.startswith(JPEG_SIGNATURE):
        size = jpeg_size
    else:
        raise ImageFormatError(f"{place} is neither a PNG nor a JPEG")
    try:
        width, height = size(image)
    except (ValueError, IndexError, struct.error) as error:
        raise ImageInvalidError(f"{place} is broken: {error}") from error
    if width * height > MAX_PIXELS:
        raise ImageTooLargeError(f"{place} has {width} x {height} pixels, and {MAX_PIXELS} are allowed")
    if width * height == 0:
        raise ImageInvalidError(f"{place} is broken: it has no pixels")


def png_size(image: bytes) -> tuple[int, int]:
    """Width and height of a PNG whose chunks are all there and whole (https://www.w3.org/TR/png-3/)."""
    names = []
    size = (0, 0)
    for name, content in png_chunks(image):
        names.append(name)
        if name == b"IHDR":
            size = struct.unpack(">II", content[:8])
        if name == b"IEND":
            break
    # a second IHDR could hide the first one's size from the cap
    if names[:1] != [b"IHDR"] or names.count(b"IHDR") > 1 or b"IDAT" not in names or names[-1] != b"IEND":
        raise ValueError("a PNG must have the chunks IHDR, once, IDAT and IEND")
    return size


def png_chunks(image: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each chunk's name and content, checksum compared."""
    position = len(PNG_SIGNATURE)
    while position < len(image):
        (length,) = struct.unpack_from(">I", image, position)
        name, content = image[position + 4 : position + 8], image[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", image, position + 8 + length)
        if zlib.crc32(name + content) != checksum:
            raise ValueError(f"chunk {name!r} has a wrong checksum")
        yield name, content
        position += 12 + length


def jpeg_size(image: bytes) -> tuple[int, int]:
    """Width and height of a JPEG that ends where one should (ITU-T T.81, annex B)."""
    if not image.rstrip(b"\0").endswith(JPEG_END):
        raise ValueError("a JPEG must end with an end-of-image marker")
    position = 2
    while image[position + 1] != JPEG_SCAN:
        if image[position] != 0xFF:
            raise ValueError("a JPEG's segments must begin with a marker")
        if image[position + 1] == 0xFF:  # a fill byte, of which a marker may have any number before it
            position += 1
            continue
        if image[position + 1] in JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", image, position + 5)
            return width, height
        (length,) = struct.unpack_from(">H", image, position + 2)
        position += 2 + length
    raise ValueError("a JPEG must have a frame before its scan")
