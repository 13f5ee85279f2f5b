# ruff: noqa: N803  (boto3 names its arguments in CamelCase)
"""The function classify_batch classifies many images with few requests. An invalid image does not fail its batch."""

import base64
import io
import json
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, IncompleteReadError

from training.container.classifier import images as container_images
from training.container.classifier import serving as container_serving

BUCKET, FOLDER = "some-bucket", "batch/some-name/predictions"
INVALID = b"not an image"


def client_error(code: str, status: int, message: str = "some message", **fields: Any) -> ClientError:
    """Return the error that boto3 raises for an error response."""
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **fields,
    }
    return ClientError(response, "Operation")


class Body(io.BytesIO):
    """The body of an object, which records whether it was read."""

    was_read = False

    def read(self, size: int | None = -1) -> bytes:
        self.was_read = True
        return super().read(size)


class FakeS3:
    """An in-memory S3 bucket.

    Parameters
    ----------
    objects : content of each object, by key
    errors : exception that get_object raises, by key
    """

    def __init__(self, objects: dict[str, bytes], errors: dict[str, Exception] | None = None) -> None:
        self.bodies = {key: Body(content) for key, content in objects.items()}
        self.sizes = {key: len(content) for key, content in objects.items()}
        self.errors = errors or {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.written: dict[str, bytes] = {}

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        assert Bucket == BUCKET
        if Key in self.errors:
            raise self.errors[Key]
        if Key in self.written:
            return {"Metadata": self.metadata[Key], "Body": Body(self.written[Key])}
        if Key not in self.bodies:
            raise client_error("NoSuchKey", 404)
        return {"ContentLength": self.sizes[Key], "Body": self.bodies[Key]}

    def put_object(self, Bucket: str, Key: str, Body: bytes, Metadata: dict[str, str]) -> None:
        assert Bucket == BUCKET
        self.written[Key], self.metadata[Key] = Body, Metadata

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines of the only object that was written."""
        (content,) = self.written.values()
        return [json.loads(line) for line in content.splitlines()]


class FakeRuntime:
    """An endpoint whose model rejects each request that contains INVALID.

    The model predicts an image with an odd number of bytes as a bicycle with confidence 0.99, and an image with an even
    number of bytes as a motorcycle with confidence 0.6.

    Parameters
    ----------
    accepts_json : whether the model accepts requests with several images
    max_bytes : the endpoint's size limit of a request
    oversize : exception that a request above this limit raises
    error : exception that each request raises
    """

    def __init__(
        self,
        *,
        accepts_json: bool = True,
        max_bytes: int = 6 * 2**20,
        oversize: Exception | None = None,
        error: Exception | None = None,
    ) -> None:
        self.requests: list[tuple[str, int]] = []  # content type, and number of images
        self.accepts_json = accepts_json
        self.max_bytes = max_bytes
        self.oversize = oversize
        self.error = error

    def invoke_endpoint(self, EndpointName: str, ContentType: str, Accept: str, Body: bytes) -> Any:
        assert (EndpointName, Accept) == ("some-endpoint", "application/json")
        if self.error:
            raise self.error
        is_json = ContentType == "application/json"
        images = [base64.b64decode(each["b64"]) for each in json.loads(Body)["instances"]] if is_json else [Body]
        self.requests.append((ContentType, len(images)))
        if self.oversize and len(Body) > self.max_bytes:
            raise self.oversize
        if is_json and not self.accepts_json:
            raise client_error("ModelError", 424, OriginalStatusCode=415, OriginalMessage="content type")
        if INVALID in images:
            raise client_error("ModelError", 424, OriginalStatusCode=400, OriginalMessage="no image\nTraceback")
        values = [[0.99, 0.01] if len(image) % 2 else [0.4, 0.6] for image in images]
        return {"Body": io.BytesIO(json.dumps(values if is_json else values[0]).encode()), "CustomAttributes": "v7"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment variables that Terraform gives the function."""
    monkeypatch.setenv("ENDPOINT_NAME", "some-endpoint")
    monkeypatch.setenv("CLASS_NAMES", '["bicycle", "motorcycle"]')
    monkeypatch.setenv("THRESHOLD", "0.93")
    monkeypatch.setenv("IMAGE_PREFIXES", '["test", "incoming"]')


def run(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, s3: FakeS3, runtime: FakeRuntime, items: list[Any]
) -> dict[str, Any]:
    """Run the function on a batch of items, and return the counts of images by outcome."""
    monkeypatch.setattr(module, "s3", s3)
    monkeypatch.setattr(module, "runtime", runtime)
    event = {"execution": "some-arn", "bucket": BUCKET, "predictions": FOLDER, "items": items}
    counts: dict[str, Any] = module.handler(event, None)
    return counts


def test_one_request_classifies_the_whole_batch(classify_batch: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a batch of two items: an entry of an S3 listing, and a key as a string
    s3, runtime = FakeS3({"test/a": b"odd", "test/b": b"even"}), FakeRuntime()

    # WHEN
    counts = run(classify_batch, monkeypatch, s3, runtime, [{"Key": "test/a"}, "test/b"])

    # THEN the result object has a line for each image, in the order of the items, and the function returns counts
    assert runtime.requests == [("application/json", 2)]
    assert s3.lines() == [
        {"key": "test/a", "outcome": "classified", "class": "bicycle", "confidence": 0.99, "model_version": "v7"},
        {"key": "test/b", "outcome": "low-confidence", "class": "motorcycle", "confidence": 0.6, "model_version": "v7"},
    ]
    (key,) = s3.written
    assert key.startswith(f"{FOLDER}/")
    assert counts == {
        "predictions": key,
        "images": 2,
        "classified": 1,
        "low-confidence": 1,
        "failed": 0,
        "errors": {},
    }


def test_only_the_invalid_images_of_a_batch_fail(classify_batch: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN 100 images, of which the model rejects two
    objects = {f"test/{number:03}": b"odd" for number in range(100)} | {"test/037": INVALID, "test/099": INVALID}
    s3, runtime = FakeS3(objects), FakeRuntime()

    # WHEN
    counts = run(classify_batch, monkeypatch, s3, runtime, list(objects))

    # THEN fewer than 35 requests are enough to find the two images
    failed = [line for line in s3.lines() if line["outcome"] == "failed"]
    assert [(line["key"], line["error"]) for line in failed] == [
        ("test/037", "ImageInvalidError"),
        ("test/099", "ImageInvalidError"),
    ]
    assert failed[0]["cause"] == "the model rejects the image: no image"
    assert (counts["classified"], counts["failed"], counts["errors"]) == (98, 2, {"ImageInvalidError": 2})
    assert len(runtime.requests) < 35


def test_model_that_rejects_json_receives_one_image_per_request(
    classify_batch: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a model that rejects JSON requests, like models of the built-in algorithm
    objects = {"test/a": b"odd", "test/b": INVALID, "test/c": b"odd"}
    s3, runtime = FakeS3(objects), FakeRuntime(accepts_json=False)

    # WHEN
    run(classify_batch, monkeypatch, s3, runtime, list(objects))

    # THEN
    assert [line["outcome"] for line in s3.lines()] == ["classified", "failed", "classified"]
    assert runtime.requests == [("application/json", 3), *[("application/x-image", 1)] * 3]


def test_request_with_several_images_does_not_exceed_the_size_limit(
    classify_batch: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN images that together exceed the size limit of a request, and one image that alone exceeds the limit
    objects = {"test/a": b"x" * 1_000_001, "test/b": b"x" * 1_500_001, "test/c": b"x" * 5_000_001, "test/d": b"odd"}
    s3, runtime = FakeS3(objects), FakeRuntime()

    # WHEN
    run(classify_batch, monkeypatch, s3, runtime, list(objects))

    # THEN
    assert runtime.requests == [("application/json", 2), ("application/x-image", 1), ("application/x-image", 1)]
    assert {line["outcome"] for line in s3.lines()} == {"classified"}


@pytest.mark.parametrize(
    "error",
    [
        client_error("ValidationError", 400, "Request 4c3b has oversize body."),
        client_error("413", 413, "HTTP content length exceeded 5246976 bytes."),
    ],
    ids=["serverless", "instances"],
)
def test_only_the_image_that_exceeds_the_endpoints_limit_fails(
    classify_batch: ModuleType, monkeypatch: pytest.MonkeyPatch, error: ClientError
) -> None:
    # GIVEN 100 images, of which one exceeds the endpoint's limit
    objects = {f"test/{number:03}": b"odd" for number in range(100)} | {"test/037": b"x" * 4_600_001}
    s3, runtime = FakeS3(objects), FakeRuntime(max_bytes=4 * 2**20, oversize=error)

    # WHEN
    counts = run(classify_batch, monkeypatch, s3, runtime, list(objects))

    # THEN
    (failed,) = [line for line in s3.lines() if line["outcome"] == "failed"]
    assert (failed["key"], failed["error"]) == ("test/037", "ImageTooLargeError")
    assert failed["cause"].startswith("the image has 4600001 bytes, which the endpoint does not accept: ")
    assert (counts["classified"], counts["failed"]) == (99, 1)


def test_images_whose_common_request_exceeds_the_endpoints_limit_are_sent_in_smaller_requests(
    classify_batch: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an endpoint whose limit is lower than the function's
    objects = {f"test/{number}": b"x" * 301 for number in range(4)}
    error = client_error("ValidationError", 400, "Request 4c3b has oversize body.")
    s3, runtime = FakeS3(objects), FakeRuntime(max_bytes=1000, oversize=error)

    # WHEN
    run(classify_batch, monkeypatch, s3, runtime, list(objects))

    # THEN
    assert {line["outcome"] for line in s3.lines()} == {"classified"}
    assert [images for _, images in runtime.requests] == [4, 2, 2]


def test_limits_equal_those_of_the_model_container(classify_batch: ModuleType) -> None:
    assert classify_batch.MAX_BYTES == container_images.MAX_BYTES
    assert classify_batch.MAX_IMAGES == container_serving.MAX_IMAGES


@pytest.mark.parametrize(
    "item",
    [
        "models/model.tar.gz",
        "test/../models/model.tar.gz",
        "testing/a",
        "",
        "test/\ud800",
        None,
        7,
        {"key": "test/a"},
        {"Key": 7},
    ],
)
def test_invalid_item_gets_the_error_key_invalid_error(
    classify_batch: ModuleType, monkeypatch: pytest.MonkeyPatch, item: Any
) -> None:
    # GIVEN
    s3 = FakeS3({"test/a": b"odd"})

    # WHEN
    run(classify_batch, monkeypatch, s3, FakeRuntime(), [item, "test/a"])

    # THEN
    assert [line.get("error") for line in s3.lines()] == ["KeyInvalidError", None]


@pytest.mark.parametrize("name", ["a+b", "a%2Fb", "a#b", "a b", "..a", "a..b", "münchen-自転車.png"])
def test_key_may_contain_special_characters(
    classify_batch: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # GIVEN
    s3 = FakeS3({f"incoming/driver/{name}": b"odd"})

    # WHEN
    run(classify_batch, monkeypatch, s3, FakeRuntime(), [f"incoming/driver/{name}"])

    # THEN
    assert [line["key"] for line in s3.lines()] == [f"incoming/driver/{name}"]
    assert s3.lines()[0]["outcome"] == "classified"


def test_line_of_an_object_that_cannot_be_classified_names_the_error(
    classify_batch: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a deleted object, an empty object, an object of 10 GiB, and an object that may not be read
    s3 = FakeS3(
        {"test/empty": b"", "test/huge": b"x", "test/a": b"odd"}, {"test/denied": client_error("AccessDenied", 403)}
    )
    s3.sizes["test/huge"] = 10 * 2**30

    # WHEN
    counts = run(
        classify_batch,
        monkeypatch,
        s3,
        FakeRuntime(),
        ["test/deleted", "test/empty", "test/huge", "test/denied", "test/a"],
    )

    # THEN each line names the error, and the large object is not read
    assert [line.get("error") for line in s3.lines()] == [
        "ImageMissingError",
        "ImageInvalidError",
        "ImageTooLargeError",
        "ImageUnreadableError",
        None,
    ]
    assert not s3.bodies["test/huge"].was_read
    assert (counts["images"], counts["failed"]) == (5, 4)


def test_batch_with_a_result_object_is_not_classified_again(
    classify_batch: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a batch whose result object exists
    s3, runtime = FakeS3({"test/a": b"odd"}), FakeRuntime()
    first = run(classify_batch, monkeypatch, s3, runtime, ["test/a"])

    # WHEN the function receives the batch again, after the image was deleted
    s3.bodies.clear()
    second = run(classify_batch, monkeypatch, s3, runtime, ["test/a"])

    # THEN
    assert second == first
    assert len(runtime.requests) == 1


@pytest.mark.parametrize(
    "error",
    [
        client_error("ThrottlingException", 400),
        client_error("ModelError", 424, OriginalStatusCode=500),
        client_error("ServiceUnavailable", 503),
        ConnectTimeoutError(endpoint_url="some-url"),
    ],
    ids=["throttled", "model fails", "service fails", "no connection"],
)
def test_unavailable_endpoint_raises_endpoint_unavailable_error(
    classify_batch: ModuleType, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    # GIVEN
    s3 = FakeS3({"test/a": b"odd", "test/b": b"odd"})

    # WHEN / THEN the function writes no result object
    with pytest.raises(classify_batch.EndpointUnavailableError):
        run(classify_batch, monkeypatch, s3, FakeRuntime(error=error), ["test/a", "test/b"])
    assert s3.written == {}


@pytest.mark.parametrize(
    "error",
    [
        client_error("SlowDown", 503),
        client_error("RequestTimeout", 400),
        ConnectTimeoutError(endpoint_url="some-url"),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
    ],
    ids=["throttled", "timeout", "no connection", "incomplete content"],
)
def test_unavailable_s3_raises_storage_unavailable_error(
    classify_batch: ModuleType, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    # GIVEN
    s3 = FakeS3({"test/a": b"odd"}, {"test/b": error})

    # WHEN / THEN
    with pytest.raises(classify_batch.StorageUnavailableError):
        run(classify_batch, monkeypatch, s3, FakeRuntime(), ["test/a", "test/b"])


def test_missing_endpoint_raises_endpoint_missing_error(
    classify_batch: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    message = "Endpoint some-endpoint of account 123456789012 not found."
    runtime = FakeRuntime(error=client_error("ValidationError", 400, message))

    # WHEN / THEN
    with pytest.raises(classify_batch.EndpointMissingError, match="some-endpoint does not exist"):
        run(classify_batch, monkeypatch, FakeS3({"test/a": b"odd"}), runtime, ["test/a"])


@pytest.mark.parametrize("response", [b"no json", b"[[0.9, 0.1]]", b"{}"])
def test_response_without_a_prediction_for_each_image_is_rejected(
    classify_batch: ModuleType, monkeypatch: pytest.MonkeyPatch, response: bytes
) -> None:
    # GIVEN
    runtime = FakeRuntime()
    monkeypatch.setattr(runtime, "invoke_endpoint", lambda **request: {"Body": io.BytesIO(response)})

    # WHEN / THEN
    with pytest.raises(classify_batch.ResponseError):
        run(classify_batch, monkeypatch, FakeS3({"test/a": b"odd", "test/b": b"odd"}), runtime, ["test/a", "test/b"])


def test_only_the_image_with_the_invalid_prediction_fails(
    classify_batch: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    s3, runtime = FakeS3({"test/a": b"odd", "test/b": b"odd"}), FakeRuntime()
    response = b"[[0.9, NaN], [0.99, 0.01]]"
    monkeypatch.setattr(runtime, "invoke_endpoint", lambda **request: {"Body": io.BytesIO(response)})

    # WHEN
    run(classify_batch, monkeypatch, s3, runtime, ["test/a", "test/b"])

    # THEN
    assert [line.get("error") for line in s3.lines()] == ["PredictionInvalidError", None]


@pytest.mark.parametrize("field", ["bucket", "predictions", "items"])
def test_event_without_a_required_field_is_rejected(
    classify_batch: ModuleType, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    # GIVEN
    event = {"bucket": BUCKET, "predictions": FOLDER, "items": ["test/a"]}

    # WHEN / THEN
    with pytest.raises(classify_batch.EventError, match=field):
        classify_batch.handler({**event, field: None}, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, None) for name in ("ENDPOINT_NAME", "THRESHOLD", "CLASS_NAMES", "IMAGE_PREFIXES")],
        ("ENDPOINT_NAME", ""),
        *[("THRESHOLD", value) for value in ("", "high", "nan", "inf", "1.1", "-0.1")],
        *[
            (name, value)
            for name in ("CLASS_NAMES", "IMAGE_PREFIXES")
            for value in ("", "[", '"bicycle"', "[1]", "[]", "{}")
        ],
    ],
)
def test_missing_or_invalid_environment_variable_is_rejected(
    classify_batch: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str, value: str | None
) -> None:
    # GIVEN
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)

    # WHEN / THEN
    with pytest.raises(classify_batch.SettingsError, match=f"{name} (is missing|must )"):
        classify_batch.handler({}, None)
