"""Serialize returns small, intact images, and raises a specific error for every other input."""

import base64
import io
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.lambdas.images import SIGNATURE, chunk, draw, header, jpeg, png

EVENT = {"s3_bucket": "some-bucket", "s3_key": "test/image"}
PNG, JPEG = draw("PNG"), draw("JPEG")


class Body(io.BytesIO):
    """An object's content that records whether it was read."""

    was_read = False

    def read(self, size: int | None = -1) -> bytes:
        self.was_read = True
        return super().read(size)


class FakeS3:
    """An S3 client that returns one object, or fails with one error code."""

    def __init__(self, content: bytes = b"", *, error: str | None = None) -> None:
        self.body = Body(content)
        self.requests: list[dict[str, str]] = []
        self._size = len(content)
        self._error = error

    def get_object(self, **request: str) -> dict[str, Any]:
        self.requests.append(request)
        if self._error:
            raise ClientError({"Error": {"Code": self._error, "Message": "some message"}}, "GetObject")
        return {"ContentLength": self._size, "Body": self.body}


def run(module: ModuleType, monkeypatch: pytest.MonkeyPatch, s3: FakeS3, event: Any = EVENT) -> Any:
    monkeypatch.setattr(module, "s3", s3)
    return module.handler(event, None)


@pytest.mark.parametrize("event", [EVENT, {"statusCode": 200, "body": EVENT}], ids=["plain", "in an envelope"])
@pytest.mark.parametrize(
    "image",
    [PNG, JPEG, PNG + b"more", JPEG + b"\0\0"],
    ids=["png", "jpeg", "png with trailing bytes", "padded jpeg"],
)
def test_intact_image_is_returned_in_base64(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, event: dict[str, Any], image: bytes
) -> None:
    # GIVEN
    s3 = FakeS3(image)

    # WHEN
    result = run(serialize, monkeypatch, s3, event)

    # THEN
    assert s3.requests == [{"Bucket": "some-bucket", "Key": "test/image"}]
    assert result["statusCode"] == 200
    assert base64.b64decode(result["body"].pop("image_data")) == image
    assert result["body"] == {**EVENT, "inferences": []}


@pytest.mark.parametrize(
    "event",
    [
        {"s3_bucket": "some-bucket"},
        {"s3_key": "test/image"},
        {**EVENT, "s3_key": ""},
        {**EVENT, "s3_bucket": 7},
    ],
    ids=["no key", "no bucket", "empty key", "number"],
)
def test_event_without_bucket_and_key_is_rejected_before_the_request_to_s3(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, event: Any
) -> None:
    # GIVEN
    s3 = FakeS3(PNG)

    # WHEN
    with pytest.raises(serialize.EventError, match=r"^s3_(bucket|key) must be a non-empty string"):
        run(serialize, monkeypatch, s3, event)

    # THEN
    assert s3.requests == []


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchBucket", "404"])
def test_error_for_a_missing_object_contains_its_uri(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    # GIVEN
    s3 = FakeS3(error=code)

    # WHEN / THEN
    with pytest.raises(serialize.ImageMissingError, match="s3://some-bucket/test/image"):
        run(serialize, monkeypatch, s3)


def test_other_errors_of_s3_are_raised_unchanged(serialize: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    s3 = FakeS3(error="AccessDenied")

    # WHEN / THEN
    with pytest.raises(ClientError, match="AccessDenied"):
        run(serialize, monkeypatch, s3)


def test_empty_object_is_rejected(serialize: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    s3 = FakeS3(b"")

    # WHEN / THEN
    with pytest.raises(serialize.ImageInvalidError, match="s3://some-bucket/test/image is empty"):
        run(serialize, monkeypatch, s3)


def test_object_with_too_many_bytes_is_rejected_before_reading(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    s3 = FakeS3(PNG.ljust(serialize.MAX_BYTES + 1, b"\0"))

    # WHEN
    with pytest.raises(serialize.ImageTooLargeError, match=r"180000 bytes \(got 180001\)"):
        run(serialize, monkeypatch, s3)

    # THEN
    assert not s3.body.was_read


def test_largest_image_fits_into_a_state(serialize: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    s3 = FakeS3(PNG.ljust(serialize.MAX_BYTES, b"\0"))

    # WHEN
    result = run(serialize, monkeypatch, s3)

    # THEN
    assert len(result["body"]["image_data"]) < 262_144 - 10_000


@pytest.mark.parametrize("make", [png, jpeg])
def test_largest_number_of_pixels_passes_and_one_more_row_is_rejected(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    # GIVEN
    largest, larger = FakeS3(make(4096, 4096)), FakeS3(make(4096, 4097))

    # WHEN
    result = run(serialize, monkeypatch, largest)

    # THEN
    assert result["statusCode"] == 200
    with pytest.raises(serialize.ImageTooLargeError, match="got 4096 x 4097"):
        run(serialize, monkeypatch, larger)


@pytest.mark.parametrize(
    "content",
    [b"GIF89a" + b"\0" * 20, b"RIFF\0\0\0\0WEBP", b"<svg/>", b"\x89PNG\r\n", b"\xff\xd8", b"bicycle"],
    ids=["gif", "webp", "svg", "truncated png signature", "truncated jpeg signature", "text"],
)
def test_other_format_than_png_and_jpeg_is_rejected(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    # GIVEN
    s3 = FakeS3(content)

    # WHEN / THEN
    with pytest.raises(serialize.ImageInvalidError, match="is neither a PNG nor a JPEG"):
        run(serialize, monkeypatch, s3)


DAMAGED = {
    "png signature only": SIGNATURE,
    "png without IEND": PNG[:-12],
    "png truncated in a chunk": PNG[:-20],
    "png truncated in its last checksum": PNG[:-1],
    "png with a flipped bit": PNG.replace(b"IDAT", b"IDAU"),
    "png with a wrong checksum": PNG[:-1] + bytes([PNG[-1] ^ 1]),
    "png without IDAT": SIGNATURE + header(8, 6) + chunk(b"IEND"),
    "png without IHDR": SIGNATURE + chunk(b"IDAT") + chunk(b"IEND"),
    "png with a short IHDR": SIGNATURE + chunk(b"IHDR", b"\0\0") + chunk(b"IDAT") + chunk(b"IEND"),
    "png with two sizes": SIGNATURE + header(50_000, 50_000) + header(8, 6) + chunk(b"IDAT") + chunk(b"IEND"),
    "png with IHDR after IDAT": SIGNATURE + chunk(b"IDAT") + header(8, 6) + chunk(b"IEND"),
    "png without pixels": png(0, 6),
    "jpeg signature only": b"\xff\xd8\xff",
    "jpeg without end marker": JPEG[:-2],
    "jpeg truncated in the middle": JPEG[: len(JPEG) // 2],
    "jpeg truncated, with end marker": JPEG[:30] + b"\xff\xd9",
    "jpeg with end marker only": b"\xff\xd8\xff\xd9",
    "jpeg with a scan without frame header": b"\xff\xd8\xff\xda\0\x02\xff\xd9",
    "jpeg with data in place of a marker": b"\xff\xd8\xff\xe0\0\x04ab" + b"cd" + b"\xff\xd9",
    "jpeg without pixels": jpeg(8, 0),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_image_is_rejected(serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    # GIVEN
    s3 = FakeS3(content)

    # WHEN / THEN
    with pytest.raises(serialize.ImageInvalidError, match="s3://some-bucket/test/image is damaged"):
        run(serialize, monkeypatch, s3)


@pytest.mark.parametrize("content", [PNG[:-20], PNG[:40], JPEG[:30] + b"\xff\xd9"], ids=["png", "header", "jpeg"])
def test_message_about_a_truncated_image_is_plain(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    with pytest.raises(serialize.ImageInvalidError, match=rf"is damaged: its {len(content)} bytes end too early$"):
        run(serialize, monkeypatch, FakeS3(content))


@pytest.mark.parametrize("length", range(1, len(JPEG), 7))
def test_jpeg_truncated_anywhere_is_rejected(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    # GIVEN
    s3 = FakeS3(JPEG[:length])

    # WHEN / THEN
    with pytest.raises(serialize.ImageInvalidError):
        run(serialize, monkeypatch, s3)


def test_fill_bytes_before_a_marker_are_allowed(serialize: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a JPEG that is valid according to T.81, B.1.1.2
    s3 = FakeS3(JPEG[:2] + b"\xff\xff" + JPEG[2:])

    # WHEN
    result = run(serialize, monkeypatch, s3)

    # THEN
    assert result["statusCode"] == 200


def test_log_names_execution_and_image_even_if_the_image_is_missing(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # GIVEN
    s3, event = FakeS3(error="NoSuchKey"), {"execution": "some-arn", "body": EVENT}

    # WHEN
    with caplog.at_level("INFO"), pytest.raises(serialize.ImageMissingError):
        run(serialize, monkeypatch, s3, event)

    # THEN
    (record,) = caplog.records
    assert (record.__dict__["execution"], record.__dict__["image"]) == ("some-arn", "s3://some-bucket/test/image")
