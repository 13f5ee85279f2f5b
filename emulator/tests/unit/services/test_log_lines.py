"""The lines that Lambda adds to the log of an invocation: billed duration and times."""

import json
from datetime import UTC, datetime

import pytest

from sagelocal.services.awslambda.log_lines import Usage, format_log

from .functions import make_function

START = datetime(2026, 3, 1, 12, 0, 0, 5000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "init", "billed"),
    [(0.005, None, 5), (0.00501, None, 6), (0.069, None, 69), (0.25006, 0.10077, 351), (0.0002, None, 1)],
    ids=["whole", "fraction", "binary fraction", "cold start", "short"],
)
def test_duration_and_initialization_are_billed_in_milliseconds_rounded_up(
    seconds: float, init: float | None, billed: int
) -> None:
    # GIVEN
    usage = Usage(START, seconds, init, memory=40)

    # WHEN
    text = format_log(make_function(), "id", "", usage)
    *_, report = format_log(make_function(log_format="JSON"), "id", "", usage).splitlines()

    # THEN
    assert f"\tBilled Duration: {billed} ms\t" in text
    assert json.loads(report)["record"]["metrics"]["billedDurationMs"] == billed


def test_first_line_has_the_time_at_which_the_invocation_started() -> None:
    # WHEN
    first, *_, last = format_log(
        make_function(log_format="JSON"), "id", "seen\n", Usage(START, 0.1, None, memory=40)
    ).splitlines()

    # THEN
    assert json.loads(first)["time"] == "2026-03-01T12:00:00.005Z"
    assert json.loads(last)["time"] > "2026-03-01T12:00:00.005Z"
