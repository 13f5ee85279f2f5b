"""Serialize returns small files, whatever their content, and raises a specific error for every other input."""

import base64
import io
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.lambdas.images import draw

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
    [PNG, JPEG, JPEG + b"MAKERNOTE", JPEG[:-20], b"GIF89a"],
    ids=["png", "jpeg", "jpeg with trailing bytes", "truncated jpeg", "other format"],
)
def test_file_is_returned_in_base64_because_only_the_model_decides_whether_it_is_an_image(
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
