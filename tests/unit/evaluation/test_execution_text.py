"""The description of an execution as lines of text."""

from typing import Any

from evaluation.execution_details import MAX_STEPS, read_execution
from evaluation.execution_text import describe_lines
from tests.unit.evaluation.histories import ARN, FakeStates, History, failed_history


def test_the_description_fits_80_columns_and_has_status_error_steps_and_payloads() -> None:
    # GIVEN
    error: dict[str, Any] = {"error": "ImageInvalidError", "cause": f"{'long ' * 400}\x1b[31m"}

    # WHEN
    lines = list(describe_lines(read_execution(ARN, [], states=FakeStates(failed_history(), **error)), threshold=0.93))

    # THEN
    text = "\n".join(lines)
    assert max(map(len, lines)) <= 80
    assert lines[0] == "status      FAILED in 2.00 s"
    assert "error       ImageInvalidError" in text
    assert "(2,005 characters)" in text
    assert "↷ Classify" in text
    assert "caught, retries: 1" in text
    assert '"image_data": "AAAAA' in text
    assert "not reached Record" in text
    assert "\x1b" not in text


def test_steps_in_the_middle_of_a_long_execution_are_omitted() -> None:
    # GIVEN
    history = History()
    for number in range(MAX_STEPS + 50):
        history.enter("Pass", f"State{number}")
        history.leave("Pass", f"State{number}")

    # WHEN
    lines = list(describe_lines(read_execution(ARN, [], states=FakeStates(history)), threshold=0.93))

    # THEN
    assert "… 50 steps left out" in lines
    shown = {line.split()[1] for line in lines if line.startswith("✓")}
    assert len(shown) == MAX_STEPS
    assert {"State0", f"State{MAX_STEPS + 49}"} <= shown
    assert f"State{MAX_STEPS // 2 + 10}" not in shown
