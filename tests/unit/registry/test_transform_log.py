"""The log of a batch transform job contains the reason of each failed image."""

import pytest

from registry.transform_log import MAX_REASON, find_reason, split_message


@pytest.mark.parametrize("key", ["in/a.png", "a: b.png", "a: b: c", "100%+é.png", "in/a.png: Message:"])
def test_log_line_is_attributed_to_its_object_even_if_the_key_contains_the_separator(key: str) -> None:
    message = f"2026-03-01T12:00:00.000:[sagemaker logs]: bucket/{key}: ClientError: 400"
    assert split_message(message, "bucket", {key, "other"}) == (key, "ClientError: 400")


@pytest.mark.parametrize(
    "message",
    [
        "",
        "POST /invocations HTTP/1.1",
        "2026-03-01T12:00:00.000:[sagemaker logs]: MaxConcurrentTransforms=1, MaxPayloadInMB=6",
        "2026-03-01T12:00:00.000:[sagemaker logs]: bucket/in/b.png: ClientError: 400",
        "2026-03-01T12:00:00.000:[sagemaker logs]: bucket/in/a.png",
    ],
)
def test_log_lines_about_no_known_object_are_ignored(message: str) -> None:
    assert split_message(message, "bucket", {"in/a.png"}) == ("", "")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["ClientError: 400", "Message:", "not an image", "Traceback (most recent call last):"], "not an image"),
        (["Unable to get response from algorithm"], "Unable to get response from algorithm"),
        (["ClientError: 413", "Message:"], "ClientError: 413"),
        (["ClientError: 400", "Message:", "x" * 9999], "x" * MAX_REASON),
    ],
    ids=["response", "no response", "empty response", "long response"],
)
def test_reason_is_the_first_line_of_the_containers_response_or_else_sagemakers_message(
    lines: list[str], reason: str
) -> None:
    assert find_reason(lines) == reason
