"""Serialize, classify and filter validate the course's event format (`statusCode`, `body`) in the same way."""

import inspect
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import pytest

FUNCTIONS = ["serialize", "classify", "filter"]
# The field without which a function rejects an event, by function
REQUIRED = {"serialize": "s3_bucket", "classify": "image_data", "filter": "inferences"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment variables that Terraform gives the functions."""
    monkeypatch.setenv("ENDPOINT_NAME", "some-endpoint")
    monkeypatch.setenv("CLASS_NAMES", '["bicycle", "motorcycle"]')
    monkeypatch.setenv("THRESHOLD", "0.93")


@pytest.fixture(params=FUNCTIONS)
def name(request: pytest.FixtureRequest) -> str:
    """Return the function's name; each test runs once for each function."""
    return str(request.param)


@pytest.fixture
def function(name: str, functions: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the function's module without AWS clients, so that any request to AWS fails the test."""
    module = functions[name]
    for client in ("s3", "runtime"):
        monkeypatch.setattr(module, client, None, raising=False)
    return module


@pytest.mark.parametrize(
    "event",
    [None, [], "test/image", {"body": None}, {"body": "test/image"}, {"body": []}, {"statusCode": 200, "body": None}],
    ids=["null", "list", "string", "null body", "string body", "list body", "null body in an envelope"],
)
def test_event_or_body_that_is_not_an_object_is_rejected(function: ModuleType, event: Any) -> None:
    # WHEN / THEN
    with pytest.raises(function.EventError, match="the event, or its body, must be an object"):
        function.handler(event, None)


@pytest.mark.parametrize("event", [{}, {"statusCode": 200, "body": {}}], ids=["plain", "in an envelope"])
def test_event_without_the_required_field_is_rejected(function: ModuleType, name: str, event: Any) -> None:
    # WHEN / THEN
    with pytest.raises(function.EventError, match=REQUIRED[name]):
        function.handler(event, None)


def test_large_event_is_truncated_in_the_error(function: ModuleType) -> None:
    # WHEN
    with pytest.raises(function.EventError) as raised:
        function.handler(["text"] * 10_000, None)

    # THEN
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    "definition",
    [
        *["EventError", "SettingsError", "StorageUnavailableError", "body_of", "text_of", "is_probability"],
        *["read_object", "threshold_of", "names", "is_missing_endpoint", "is_too_large", "is_rejection"],
        *["is_transient", "status_of", "original_status"],
    ],
)
def test_definitions_with_the_same_name_have_the_same_code_in_all_functions(
    functions: dict[str, ModuleType], definition: str
) -> None:
    check_copies(functions.values(), definition)


@pytest.mark.parametrize("definition", ["ImageMissingError", "ImageTooLargeError"])
def test_errors_of_images_have_the_same_code_in_the_functions_for_single_images(
    functions: dict[str, ModuleType], definition: str
) -> None:
    check_copies([functions[name] for name in FUNCTIONS], definition)


def check_copies(modules: Iterable[ModuleType], definition: str) -> None:
    """Check that a definition has the same code in each of the modules that has it.

    The functions cannot import a common definition, because each zip file has only one handler.py.
    """
    copies = [getattr(module, definition) for module in modules if hasattr(module, definition)]
    assert len(copies) >= 2
    assert len({inspect.getsource(each) for each in copies}) == 1


@pytest.mark.parametrize(
    "constant", ["MAX_BYTES", "THROTTLED", "TRANSIENT", "REQUEST_ERRORS", "REQUEST_TOO_LARGE", "SERVER_ERROR"]
)
def test_constants_with_the_same_name_have_the_same_value_in_all_functions(
    functions: dict[str, ModuleType], constant: str
) -> None:
    # GIVEN
    copies = [getattr(module, constant) for module in functions.values() if hasattr(module, constant)]

    # THEN
    assert len(copies) >= 2
    assert all(value == copies[0] for value in copies)
