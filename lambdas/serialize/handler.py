"""Serialize: read an image from S3, check that it is a small PNG or JPEG, and return it in base64.

Event format of serialize, classify and filter
----------------------------------------------
The functions follow the course's format. Each returns `{"statusCode": 200, "body": {...}}`, and the next one reads its
input from `body`. An event without `body` is read as the body itself. An execution starts with the course's input
`{"image_data": "", "s3_bucket": "...", "s3_key": "..."}`, to which serialize adds the image. The state machine wraps
each body as `{"execution": "<ARN>", "body": {...}}`, so that the functions can log the execution's ARN.
"""

import base64
import logging
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

# Base64 turns 3 bytes into 4, and the state needs room for its other fields. Step Functions limits it to 262,144 bytes
# (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html)
MAX_BYTES = 180_000
MAX_PIXELS = 4096 * 4096
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"
JPEG_END = b"\xff\xd9"
# Start-of-frame markers, whose segments contain the size: ITU-T T.81, table B.1
JPEG_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
JPEG_SCAN = 0xDA

s3 = boto3.client("s3")
logger = logging.getLogger()


class EventError(Exception):
    """The event does not have the expected format."""


class ImageMissingError(Exception):
    """The S3 object does not exist."""


class ImageTooLargeError(Exception):
    """The image has more bytes or pixels than the workflow supports."""


class ImageInvalidError(Exception):
    """The S3 object is not an intact PNG or JPEG."""


def handler(event: Any, context: object) -> dict[str, Any]:
    """Return the image `s3_key` of `s3_bucket` in base64.

    Returns
    -------
    dict
        `statusCode` 200, and a body with `image_data` (base64), `s3_bucket`, `s3_key` and `inferences` (an empty list).

    Raises
    ------
    EventError, ImageMissingError, ImageTooLargeError, ImageInvalidError
        The execution fails under the name of the error, so each one stands for a different remedy.
    """
    body = body_of(event)
    bucket, key = text_of(body, "s3_bucket"), text_of(body, "s3_key")
    uri = f"s3://{bucket}/{key}"
    logger.info("reading image", extra={"execution": event.get("execution"), "image": uri})
    image = read(bucket, key)
    check(image, uri)
    result = {
        "image_data": base64.b64encode(image).decode("ascii"),
        "s3_bucket": bucket,
        "s3_key": key,
        "inferences": [],
    }
    return {"statusCode": 200, "body": result}


def body_of(event: Any) -> Mapping[str, Any]:
    """Return the body of an event; serialize/handler.py describes the format."""
    body = event.get("body", event) if isinstance(event, Mapping) else None
    if not isinstance(body, Mapping):
        raise EventError(f"the event, or its body, must be an object (got {event!r:.100})")
    return body


def text_of(body: Mapping[str, Any], name: str) -> str:
    """Return a field of the body that must be a non-empty string."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise EventError(f"{name} must be a non-empty string (got {value!r:.100})")
    return value


def read(bucket: str, key: str) -> bytes:
    """Return the object's content, after a check of its size."""
    uri = f"s3://{bucket}/{key}"
    try:
        response = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket", "404"):
            raise ImageMissingError(f"{uri} does not exist") from error
        raise
    size = response["ContentLength"]
    if size == 0:
        raise ImageInvalidError(f"{uri} is empty")
    if size > MAX_BYTES:
        raise ImageTooLargeError(f"{uri} must have at most {MAX_BYTES} bytes (got {size})")
    content: bytes = response["Body"].read()
    return content


def check(image: bytes, uri: str) -> None:
    """Raise an error unless this is an intact PNG or JPEG of a supported size, without decoding it."""
    if image.startswith(PNG_SIGNATURE):
        size = png_size
    elif image.startswith(JPEG_SIGNATURE):
        size = jpeg_size
    else:
        raise ImageInvalidError(f"{uri} is neither a PNG nor a JPEG")
    try:
        width, height = size(image)
    except ValueError as error:
        raise ImageInvalidError(f"{uri} is damaged: {error}") from error
    except (IndexError, struct.error) as error:  # a chunk or a segment is longer than its content
        raise ImageInvalidError(f"{uri} is damaged: its {len(image)} bytes end too early") from error
    if width * height > MAX_PIXELS:
        raise ImageTooLargeError(f"{uri} must have at most {MAX_PIXELS} pixels (got {width} x {height})")
    if width * height == 0:
        raise ImageInvalidError(f"{uri} is damaged: its size is {width} x {height} pixels")


def png_size(image: bytes) -> tuple[int, int]:
    """Return width and height of a PNG with all required chunks (https://www.w3.org/TR/png-3/)."""
    names = []
    size = (0, 0)
    for name, content in png_chunks(image):
        names.append(name)
        if name == b"IHDR":
            size = struct.unpack(">II", content[:8])
        if name == b"IEND":
            break
    # with a second IHDR a large image could pass the check of the number of pixels
    if names[:1] != [b"IHDR"] or names.count(b"IHDR") > 1 or b"IDAT" not in names or names[-1] != b"IEND":
        raise ValueError("a PNG must have the chunks IHDR (once), IDAT and IEND")
    return size


def png_chunks(image: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the content of each chunk, after a check of its checksum."""
    position = len(PNG_SIGNATURE)
    while position < len(image):
        (length,) = struct.unpack_from(">I", image, position)
        name, content = image[position + 4 : position + 8], image[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", image, position + 8 + length)
        if zlib.crc32(name + content) != checksum:
            raise ValueError(f"the checksum of chunk {name!r} is wrong")
        yield name, content
        position += 12 + length


def jpeg_size(image: bytes) -> tuple[int, int]:
    """Return width and height of a JPEG that ends with the required marker (ITU-T T.81, annex B)."""
    if not image.rstrip(b"\0").endswith(JPEG_END):
        raise ValueError("a JPEG must end with an end-of-image marker")
    position = 2
    while image[position + 1] != JPEG_SCAN:
        if image[position] != 0xFF:
            raise ValueError("a JPEG's segments must begin with a marker")
        if image[position + 1] == 0xFF:  # any number of fill bytes may precede a marker
            position += 1
            continue
        if image[position + 1] in JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", image, position + 5)
            return width, height
        (length,) = struct.unpack_from(">H", image, position + 2)
        position += 2 + length
    raise ValueError("a JPEG must have a frame header before its scan")
