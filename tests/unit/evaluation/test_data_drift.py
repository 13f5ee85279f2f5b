"""Drift jobs are started and followed, and their results are read, summarized and plotted."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from common.errors import OperatorError
from evaluation.data_drift import follow_job, read_drift, start_job, summary, write_figures
from evaluation.history import Entry

REQUEST = json.dumps(
    {
        "ProcessingJobName": "scones-test-drift-<aws.scheduler.execution-id>",
        "Environment": {"WINDOW_END": "<aws.scheduler.scheduled-time>"},
    }
)


def make_figures(**fields: Any) -> dict[str, Any]:
    """Return the result of a drift job in which the brightness has drifted; `fields` replace the default values."""
    counts = {"baseline": [1, 99], "window": [150, 50]}
    change: dict[str, Any] = {"kind": "x", "statistic": 0.5, "p_value": 1e-6}
    figures: dict[str, Any] = {
        "outcome": "drift",
        "reason": "200 images against 100 of the baseline: brightness (median 0.5 to 0.2)",
        "level": 0.001,
        "classes": ["bicycle", "motorcycle"],
        "images": 200,
        "baseline_images": 100,
        "records": 210,
        "malformed": 3,
        "malformed_lines": ["a.jsonl, line 1: not JSON"],
        "unreadable": 2,
        "groups": {"confidence": False, "image_statistics": True, "embedding": False},
        "changes": [
            {
                **change,
                "group": "image_statistics",
                "name": "brightness",
                "adjusted": 1e-5,
                "stability_index": 2.5,
                "has_drifted": True,
            },
            {
                **change,
                "group": "embedding",
                "name": "embedding",
                "adjusted": 0.4,
                "stability_index": None,
                "has_drifted": False,
            },
        ],
        "predicted": counts,
        "histograms": {"brightness": {"edges": [0.0, 0.5, 1.0], **counts}},
        "points": {"baseline": [[0.0, 1.0]], "window": [[2.0, 3.0], [4.0, 5.0]]},
        "examples": [{"id": "abc", "time": "2026-03-08T10:00:00+00:00", "distance": 9.5}],
    }
    return {**figures, **fields}


def make_entry(hour: int, **fields: Any) -> Entry:
    """Return the history entry of a drift job on 8 March at this hour; `fields` are passed to `make_figures`."""
    return {
        "kind": "drift",
        "written": f"2026-03-08T{hour:02}:10:00+00:00",
        "environment": "test",
        "model": "v3",
        "window": {"start": "2026-03-07T12:00:00+00:00", "end": f"2026-03-08T{hour:02}:00:00+00:00"},
        "figures": make_figures(**fields),
    }


def test_summary_names_the_properties_that_drifted_and_counts_the_unusual_images() -> None:
    # WHEN
    lines = list(summary(read_drift([make_entry(11, outcome="no_drift"), make_entry(12)], environment="test"), "test"))

    # THEN
    assert lines[0] == "model v3, 2026-03-07T12:00:00+00:00 to 2026-03-08T12:00:00+00:00: drift"
    assert lines[1].startswith("200 images against 100")
    assert re.fullmatch(r"brightness +image_statistics +2\.50 +1e-05  drifted", lines[3])
    assert re.fullmatch(r"embedding +embedding +0\.4", lines[4])
    assert lines[5:] == [
        "malformed lines: 3",
        "images that cannot be read: 2",
        "1 unusual image to look at: run make review ENV=test",
        "earlier: 2026-03-08T11:00:00+00:00 v3 no drift",
    ]


def test_result_without_captured_records_has_only_its_reason_and_no_figure(tmp_path: Path) -> None:
    # GIVEN the figure of an earlier result, and a newer result without captured records
    write_figures(read_drift([make_entry(11)], environment="test"), tmp_path)
    empty: dict[str, Any] = {"groups": {}, "changes": [], "histograms": {}, "points": {}, "examples": []}
    entry = make_entry(
        12, outcome="no_captures", reason="no captured records in the window", malformed=0, unreadable=0, **empty
    )

    # WHEN
    drift = read_drift([entry], environment="test")
    write_figures(drift, tmp_path)

    # THEN
    head, *rest = summary(drift, "test")
    assert head.endswith(": no captures")
    assert rest == ["no captured records in the window"]
    assert not (tmp_path / "drift.png").exists()


@pytest.mark.parametrize(("adjusted", "text"), [(1e-9, "1e-09"), (9e-10, "<1e-09"), (0.0, "<1e-09"), (0.04, "0.04")])
def test_p_value_below_1e_09_is_shown_as_less_than_1e_09(adjusted: float, text: str) -> None:
    # GIVEN
    (change, *_) = make_figures()["changes"]

    # WHEN
    entry = make_entry(12, changes=[{**change, "adjusted": adjusted}])
    lines = list(summary(read_drift([entry], environment="test"), "test"))

    # THEN
    assert f" {text}  drifted" in lines[3]


def test_history_entries_in_another_format_are_ignored() -> None:
    # GIVEN besides a valid entry, an entry that lacks most fields, and an entry in which one field has another name
    incomplete, renamed = make_entry(13), make_entry(14)
    incomplete["figures"] = {"outcome": "drift"}
    for change in renamed["figures"]["changes"]:
        change["moved"] = change.pop("has_drifted")

    # WHEN
    results = read_drift([make_entry(12), incomplete, renamed], environment="test")["results"]

    # THEN
    assert [each["written"][11:13] for each in results] == ["12"]


def test_error_without_results_contains_the_command_to_run() -> None:
    with pytest.raises(OperatorError, match="run `make data-drift ENV=test RUN=1`"):
        read_drift([], environment="test")


def test_figure_of_the_latest_result_is_written(tmp_path: Path) -> None:
    write_figures(read_drift([make_entry(12)], environment="test"), tmp_path)

    assert Image.open(tmp_path / "drift.png").width > 1000


class FakeSageMaker:
    """A SageMaker client that records the requests for processing jobs.

    Parameters
    ----------
    descriptions : responses of DescribeProcessingJob, one for each call
    """

    def __init__(self, *descriptions: dict[str, Any]) -> None:
        self.descriptions = list(descriptions)
        self.requests: list[dict[str, Any]] = []

    def create_processing_job(self, **request: Any) -> None:
        self.requests.append(request)

    def describe_processing_job(self, **_: str) -> dict[str, Any]:
        return self.descriptions.pop(0)


def test_started_job_has_a_name_and_a_time_instead_of_the_schedulers_placeholders() -> None:
    # GIVEN
    sagemaker = FakeSageMaker()

    # WHEN
    name = start_job(REQUEST, environment="test", sagemaker=sagemaker, now=datetime(2026, 3, 8, 12, tzinfo=UTC))

    # THEN
    assert re.fullmatch(r"scones-test-drift-[0-9a-f]{16}", name)
    assert sagemaker.requests == [
        {"ProcessingJobName": name, "Environment": {"WINDOW_END": "2026-03-08T12:00:00Z", "CAPTURE_DELAY_MINUTES": "0"}}
    ]


def test_error_for_an_environment_without_a_drift_job_names_the_missing_setting() -> None:
    with pytest.raises(OperatorError, match="test has no drift job: set drift_schedule"):
        start_job(None, environment="test", sagemaker=FakeSageMaker())


def test_following_a_job_prints_each_new_status_until_the_job_has_ended() -> None:
    # GIVEN
    statuses = ("InProgress", "InProgress", "Completed")
    sagemaker = FakeSageMaker(*({"ProcessingJobStatus": status} for status in statuses))
    lines: list[object] = []

    # WHEN
    follow_job("job", sagemaker=sagemaker, report=lines.append, sleep=lambda _: None)

    # THEN
    assert lines == ["job: InProgress", "job: Completed"]


def test_failed_job_is_an_error_that_contains_the_failure_reason() -> None:
    sagemaker = FakeSageMaker({"ProcessingJobStatus": "Failed", "FailureReason": "AlgorithmError: status 1"})

    with pytest.raises(OperatorError, match="job ended with the status Failed: AlgorithmError: status 1"):
        follow_job("job", sagemaker=sagemaker, report=lambda _: None)


def test_lines_of_the_summary_fit_80_columns() -> None:
    # GIVEN a result in which many properties have drifted
    reason = "; ".join(f"statistic_{number} (median 0.584 to 0.331, p below 1e-09)" for number in range(9))
    examples = [{"id": f"{number:064}", "time": "2026-03-08T12:00:00+00:00", "distance": 3.0} for number in range(10)]
    entry = make_entry(12, reason=reason, examples=examples)

    # WHEN
    lines = list(summary(read_drift([entry], environment="test"), "test"))

    # THEN
    assert max(map(len, lines)) <= 80
    assert reason in " ".join(lines)
