"""The endpoint is asked for one image, and its answer is believed only where it can be true."""

import base64
import io
import json
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.lambdas.images import draw

PNG, JPEG = draw("PNG"), draw("JPEG")


def event_of(image: bytes) -> dict[str, Any]:
    return {"image_data": base64.b64encode(image).decode(), "s3_key": "test/image", "inferences": []}


class FakeRuntime:
    """An endpoint with one answer, or one that refuses."""

    def __init__(
        self, answer: bytes = b"[0.25, 0.75]", *, refuses: str | None = None, status: int | None = None
    ) -> None:
        self.asked: list[dict[str, Any]] = []
        self._answer = answer
        self._refuses = refuses
        self._status = {} if status is None else {"OriginalStatusCode": status}

    def invoke_endpoint(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        if self._refuses:
            answer: Any = {"Error": {"Code": self._refuses, "Message": "refused"}, **self._status}
            raise ClientError(answer, "InvokeEndpoint")
        return {"Body": io.BytesIO(self._answer), "CustomAttributes": "v7"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment that Terraform gives the function."""
    monkeypatch.setenv("ENDPOINT_NAME", "some-endpoint")
    monkeypatch.setenv("CLASS_NAMES", '["bicycle", "motorcycle"]')


def run(module: ModuleType, monkeypatch: pytest.MonkeyPatch, runtime: FakeRuntime, event: Any) -> Any:
    monkeypatch.setattr(module, "runtime", runtime)
    return module.handler(event, None)


@pytest.mark.parametrize("in_body", [False, True], ids=["plain", "in a body"])
@pytest.mark.parametrize(("image", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg")], ids=["png", "jpeg"])
def test_the_endpoint_gets_the_image_and_its_probabilities_get_names(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch, in_body: bool, image: bytes, kind: str
) -> None:
    # GIVEN
    runtime, event = FakeRuntime(), event_of(image)

    # WHEN
    answer = run(classify, monkeypatch, runtime, {"statusCode": 200, "body": event} if in_body else event)

    # THEN
    assert runtime.asked == [
        {"EndpointName": "some-endpoint", "ContentType": kind, "Accept": "application/json", "Body": image}
    ]
    assert answer == {
        "statusCode": 200,
        "body": {
            **event,
            "inferences": [0.25, 0.75],
            "predictions": [
                {"class": "bicycle", "probability": 0.25},
                {"class": "motorcycle", "probability": 0.75},
            ],
            "model_version": "v7",
        },
    }


def test_the_bounds_of_a_probability_are_probabilities(classify: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    runtime = FakeRuntime(b"[0, 1]")

    # WHEN
    answer = run(classify, monkeypatch, runtime, event_of(PNG))

    # THEN
    assert answer["body"]["inferences"] == [0.0, 1.0]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>Bad Gateway</html>",
        b"\xff\xfe\xfd",
        b"null",
        b"0.75",
        b'{"bicycle": 0.25, "motorcycle": 0.75}',
        b"[]",
        b"[1.0]",
        b"[0.2, 0.3, 0.5]",
        b"[[0.25, 0.75]]",
        b"[NaN, 0.75]",
        b"[0.25, Infinity]",
        b"[-0.1, 0.75]",
        b"[0.25, 1.1]",
        b"[0.25, 1" + b"0" * 400 + b"]",
        b'[0.25, "0.75"]',
        b"[false, true]",
        b"[0.25, null]",
    ],
    ids=[
        "nothing",
        "html",
        "no text",
        "null",
        "one number",
        "object",
        "empty list",
        "too short",
        "too long",
        "nested",
        "not a number",
        "infinite",
        "negative",
        "above 1",
        "beyond any float",
        "text",
        "booleans",
        "null within",
    ],
)
def test_an_answer_that_is_no_list_of_probabilities_is_refused(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    # GIVEN
    runtime = FakeRuntime(answer)

    # WHEN / THEN
    with pytest.raises(classify.AnswerError):
        run(classify, monkeypatch, runtime, event_of(PNG))


def test_a_long_answer_is_quoted_in_short(classify: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    runtime = FakeRuntime(json.dumps([0.5] * 1000).encode())

    # WHEN / THEN
    with pytest.raises(classify.AnswerError) as raised:
        run(classify, monkeypatch, runtime, event_of(PNG))
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(("code", "status"), [("ValidationError", None), ("ModelError", 400)])
def test_a_refusal_stays_what_it_is(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch, code: str, status: int | None
) -> None:
    # GIVEN
    runtime = FakeRuntime(refuses=code, status=status)

    # WHEN / THEN
    with pytest.raises(ClientError, match=code):
        run(classify, monkeypatch, runtime, event_of(PNG))


@pytest.mark.parametrize("status", [500, 503, 0])
def test_a_model_that_fails_may_be_asked_again(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    # GIVEN
    runtime = FakeRuntime(refuses="ModelError", status=status)

    # WHEN / THEN
    with pytest.raises(classify.ModelFailedError, match="refused"):
        run(classify, monkeypatch, runtime, event_of(PNG))


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        {"body": None},
        {"body": "text"},
        {"image_data": ""},
        {"image_data": 7},
        {"image_data": "no base64!"},
        {"image_data": "iVBORw0"},
        {"image_data": "äöü="},
    ],
    ids=["null", "list", "empty", "null body", "text body", "no data", "number", "no base64", "cut base64", "umlauts"],
)
def test_an_event_without_an_image_is_refused_before_the_endpoint_is_asked(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch, event: Any
) -> None:
    # GIVEN
    runtime = FakeRuntime()

    # WHEN
    with pytest.raises(classify.EventError):
        run(classify, monkeypatch, runtime, event)

    # THEN
    assert runtime.asked == []


def test_what_is_neither_png_nor_jpeg_is_refused_before_the_endpoint_is_asked(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    runtime = FakeRuntime()

    # WHEN
    with pytest.raises(classify.ImageFormatError):
        run(classify, monkeypatch, runtime, event_of(b"GIF89a"))

    # THEN
    assert runtime.asked == []


@pytest.mark.parametrize("name", ["ENDPOINT_NAME", "CLASS_NAMES"])
def test_a_missing_setting_is_named(classify: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    # GIVEN
    monkeypatch.delenv(name)

    # WHEN / THEN
    with pytest.raises(classify.SettingsError, match=name):
        run(classify, monkeypatch, FakeRuntime(), event_of(PNG))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENDPOINT_NAME", ""),
        ("CLASS_NAMES", ""),
        ("CLASS_NAMES", "bicycle,motorcycle"),
        ("CLASS_NAMES", '"bicycle"'),
        ("CLASS_NAMES", "[1, 2]"),
        ("CLASS_NAMES", "[]"),
    ],
    ids=["no endpoint", "empty", "no json", "one name", "numbers", "no names"],
)
def test_a_bad_setting_is_named(classify: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    # GIVEN
    monkeypatch.setenv(name, value)

    # WHEN / THEN
    with pytest.raises(classify.SettingsError, match=name):
        run(classify, monkeypatch, FakeRuntime(b"[]"), event_of(PNG))


def test_the_largest_image_fits_a_state_machine_with_the_names_of_a_hundred_classes(
    classify: ModuleType, serialize: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN names as long as CIFAR-100 has any, and probabilities of as many digits as a number has
    names = [f"large_omnivores_and_herbivor{number}" for number in range(100)]
    monkeypatch.setenv("CLASS_NAMES", json.dumps(names))
    runtime = FakeRuntime(json.dumps([0.0012345678901234567] * 100).encode())
    event = {**event_of(PNG.ljust(serialize.MAX_BYTES, b"\0")), "s3_key": "k" * 1024}

    # WHEN
    answer = run(classify, monkeypatch, runtime, event)

    # THEN there is room for what Lambda's answer has beside it
    assert len(answer["body"]["predictions"]) == 100
    assert len(json.dumps(answer)) < 262_144 - 4_096


def test_the_log_says_which_execution_asks_about_which_image_even_where_the_endpoint_fails(
    classify: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # GIVEN
    runtime = FakeRuntime(refuses="ModelError", status=400)
    event = {"execution": "some-arn", "body": {**event_of(PNG), "s3_bucket": "bucket"}}

    # WHEN
    with caplog.at_level("INFO"), pytest.raises(ClientError):
        run(classify, monkeypatch, runtime, event)

    # THEN
    (line,) = caplog.records
    assert (line.__dict__["execution"], line.__dict__["image"]) == ("some-arn", "s3://bucket/test/image")
