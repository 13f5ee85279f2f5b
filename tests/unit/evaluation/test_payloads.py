"""Inputs and outputs of states are shortened and formatted for display."""

import json
from typing import Any

import pytest

from evaluation.payloads import MAX_ITEMS, MAX_TEXT, find_values, format_block, format_line, parse_payload


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"image_data": "A" * 240_000, "s3_key": "test/a.png"}, id="long text"),
        pytest.param([[1] * 300] * 300, id="large lists"),
        pytest.param({f"key {number}": number for number in range(10_000)}, id="large object"),
        pytest.param(json.loads("[" * 100 + "]" * 100), id="deeply nested"),
    ],
)
def test_a_large_payload_is_shortened_and_marked_as_shortened(value: Any) -> None:
    # WHEN
    payload = parse_payload(json.dumps(value))

    # THEN
    assert len(json.dumps(payload)) < 25 * MAX_ITEMS**2
    assert len(format_block(payload)) < MAX_TEXT + 100
    assert "…" in format_block(payload)


def test_a_shortened_value_says_how_long_it_was_or_how_many_items_are_omitted() -> None:
    assert parse_payload(json.dumps(["A" * 301])) == [f"{'A' * 300}… (301 characters)"]
    assert parse_payload(json.dumps([1] * (MAX_ITEMS + 2)))[-1] == "… (2 more)"


@pytest.mark.parametrize("text", ["not JSON", '{"a": 1', "[" * 100_000])
def test_a_payload_that_is_not_json_is_shown_as_text(text: str) -> None:
    assert str(parse_payload(text)).startswith(text[:300])


def test_a_line_fits_its_width_and_contains_short_fields_that_follow_long_fields() -> None:
    # WHEN
    line = format_line({"image_data": "A" * 300, "s3_key": "test/a.png\x1b[31m\u202e"}, 80)

    # THEN
    assert len(line) <= 80
    assert '"s3_key": "test/a.png\\u001b[31m?' in line
    assert line.isprintable()


def test_fields_with_a_non_empty_value_are_found_at_any_depth() -> None:
    value = {"body": {"inferences": []}, "list": [{"inferences": [1]}]}
    assert list(find_values(value, "inferences")) == [[1]]
