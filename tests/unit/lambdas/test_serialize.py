"""The function serialize reads an image from S3.

It returns a small file in base64 without decoding the image, and only the key and version of a larger file. An object
that is missing, empty or too large has its own error.
"""

import base64
import io
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, IncompleteReadError, ReadTimeoutError

from tests.unit.lambdas.images import draw
from training.container.classifier import images

EVENT = {"s3_bucket": "some-bucket", "s3_key": "test/image"}
PNG, JPEG = draw("PNG"), draw("JPEG")


class Body(io.BytesIO):
    """The body of an object, which records whether it was read."""

    was_read = False

    def read(self, size: int | None = -1) -> bytes:
        self.was_read = True
        return super().read(size)


class FakeS3:
    """An S3 client whose requests all return the same object version, or raise `error`.

    Parameters
    ----------
    size : size of the object in bytes that S3 reports; the length of `content` by default
    """

    def __init__(self, content: bytes = b"", *, size: int | None = None, error: Exception | None = None) -> None:
        self.body = Body(content)
        self.requests: list[dict[str, str]] = []
        self._size = len(content) if size is None else size
        self._error = error

    def get_object(self, **request: str) -> dict[str, Any]:
        self.requests.append(request)
        if self._error:
            raise self._error
        return {"ContentLength": self._size, "Body": self.body, "VersionId": "some-version"}


def client_error(code: str, status: int = 404) -> ClientError:
    """Return the error that boto3 raises for an error response of GetObject."""
    response: Any = {
        "Error": {"Code": code, "Message": "some message"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "GetObject")


def run(module: ModuleType, monkeypatch: pytest.MonkeyPatch, s3: FakeS3, event: Any = EVENT) -> Any:
    """Run the function with a fake S3 client."""
    monkeypatch.setattr(module, "s3", s3)
    return module.handler(event, None)


@pytest.mark.parametrize("event", [EVENT, {"statusCode": 200, "body": EVENT}], ids=["plain", "in an envelope"])
@pytest.mark.parametrize(
    "image",
    [PNG, JPEG, JPEG + b"MAKERNOTE", JPEG[:-20], b"GIF89a"],
    ids=["png", "jpeg", "jpeg with trailing bytes", "truncated jpeg", "gif"],
)
def test_file_is_returned_in_base64_even_if_it_is_not_a_valid_image(
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
        {**EVENT, "s3_version": ""},
    ],
    ids=["no key", "no bucket", "empty key", "number", "empty version"],
)
def test_event_without_a_valid_bucket_key_and_version_is_rejected_without_a_request(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, event: Any
) -> None:
    # GIVEN
    s3 = FakeS3(PNG)

    # WHEN
    with pytest.raises(serialize.EventError, match=r"^s3_(bucket|key|version) must be a non-empty string"):
        run(serialize, monkeypatch, s3, event)

    # THEN
    assert s3.requests == []


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchVersion", "NoSuchBucket", "404"])
def test_error_for_a_missing_object_contains_the_uri(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    # GIVEN
    s3 = FakeS3(error=client_error(code))

    # WHEN / THEN
    with pytest.raises(serialize.ImageMissingError, match="s3://some-bucket/test/image"):
        run(serialize, monkeypatch, s3)


def test_permanent_error_of_s3_is_raised_unchanged(serialize: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    s3 = FakeS3(error=client_error("AccessDenied", 403))

    # WHEN / THEN
    with pytest.raises(ClientError, match="AccessDenied"):
        run(serialize, monkeypatch, s3)


def test_empty_object_is_rejected(serialize: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    s3 = FakeS3(b"")

    # WHEN / THEN
    with pytest.raises(serialize.ImageInvalidError, match="s3://some-bucket/test/image is empty"):
        run(serialize, monkeypatch, s3)


def test_too_large_object_is_rejected_without_reading_it(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an object of 10 GiB
    s3 = FakeS3(size=10 * 2**30)

    # WHEN
    with pytest.raises(serialize.ImageTooLargeError, match=r"5242880 bytes \(got 10737418240\)"):
        run(serialize, monkeypatch, s3)

    # THEN
    assert not s3.body.was_read


def test_serialize_and_classify_have_the_size_limit_of_the_model(serialize: ModuleType, classify: ModuleType) -> None:
    assert serialize.MAX_BYTES == classify.MAX_BYTES == images.MAX_BYTES


def test_result_for_the_largest_inline_image_fits_into_a_state(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    s3 = FakeS3(PNG.ljust(serialize.MAX_INLINE_BYTES, b"\0"))

    # WHEN
    result = run(serialize, monkeypatch, s3)

    # THEN the result is below Step Functions' limit of 262,144 bytes, with 10,000 bytes left for the other fields
    assert 0 < len(result["body"]["image_data"]) < 262_144 - 10_000


@pytest.mark.parametrize("limit", ["MAX_INLINE_BYTES", "MAX_BYTES"])
def test_image_above_the_inline_limit_is_passed_by_key_and_version(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    # GIVEN an image that is one byte too large to be inline, or that has the maximum size
    size = max(serialize.MAX_INLINE_BYTES + 1, getattr(serialize, limit))
    s3 = FakeS3(size=size)

    # WHEN
    result = run(serialize, monkeypatch, s3)

    # THEN the result names the object version, so classify reads the same version even if the object is replaced
    assert result["body"] == {**EVENT, "image_data": "", "s3_version": "some-version", "inferences": []}
    assert not s3.body.was_read


def test_version_in_the_event_is_read_and_unknown_fields_are_kept(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    event = {**EVENT, "s3_version": "first", "event_time": "2026-01-02T03:04:05Z"}
    s3 = FakeS3(PNG)

    # WHEN
    result = run(serialize, monkeypatch, s3, event)

    # THEN
    assert s3.requests == [{"Bucket": "some-bucket", "Key": "test/image", "VersionId": "first"}]
    assert result["body"].items() >= event.items()


@pytest.mark.parametrize(
    "error",
    [
        client_error("SlowDown", 503),
        client_error("ThrottlingException", 400),
        client_error("RequestTimeout", 400),
        client_error("InternalError", 500),
        EndpointConnectionError(endpoint_url="some-url"),
        ReadTimeoutError(endpoint_url="some-url"),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
    ],
    ids=[
        "throttled",
        "throttled by KMS",
        "request timeout",
        "internal error",
        "no connection",
        "read timeout",
        "incomplete content",
    ],
)
def test_transient_error_of_s3_raises_storage_unavailable_error(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    # GIVEN
    s3 = FakeS3(error=error)

    # WHEN / THEN the function itself does not retry
    with pytest.raises(serialize.StorageUnavailableError, match="S3 cannot return s3://some-bucket/test/image"):
        run(serialize, monkeypatch, s3)
    assert len(s3.requests) == 1


def test_log_names_the_execution_and_the_image_even_if_the_image_is_missing(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # GIVEN
    s3, event = FakeS3(error=client_error("NoSuchKey")), {"execution": "some-arn", "body": EVENT}

    # WHEN
    with caplog.at_level("INFO"), pytest.raises(serialize.ImageMissingError):
        run(serialize, monkeypatch, s3, event)

    # THEN
    (record,) = caplog.records
    assert (record.__dict__["execution"], record.__dict__["image"]) == ("some-arn", "s3://some-bucket/test/image")
