"""The report's section about the trend: the accuracies of each model version in the history."""

import pytest

from evaluation.executions import history_figures as run_figures
from evaluation.live.live_summary import history_figures as live_figures
from evaluation.report.results import Results
from evaluation.report.trend_section import by_version, trend
from evaluation.report.verdict import Accuracy
from tests.unit.evaluation.report.live_results import HISTORY, make_entry, make_live
from tests.unit.evaluation.runs import make_execution


def test_versions_are_in_numeric_order_with_their_latest_results() -> None:
    # WHEN
    v1, v10 = by_version(HISTORY)

    # THEN
    assert (v1.model, v10.model) == ("v1", "v10")
    assert {name: each.value for name, each in v1.accuracies.items()} == {
        "Validation images": 0.9,
        "Test images": 0.89,
        "Live traffic": 0.7,
    }
    assert (v1.low_confidence, v1.drifted, v1.compared) == (0.2, 1, 2)
    assert set(v10.accuracies) == {"Validation images", "Live traffic"}
    assert (v10.low_confidence, v10.compared, v10.reviewed_images) == (None, 0, 40)


def test_history_entries_without_a_version_or_an_accuracy_are_ignored() -> None:
    # GIVEN
    history = [make_entry("run", None, accuracy=1.0), make_entry("live", "v2", accuracy=None), make_entry("run", "v2")]

    # WHEN
    (version,) = by_version(history)

    # THEN
    assert (version.model, version.accuracies) == ("v2", {})


@pytest.mark.parametrize(
    "accuracy",
    ["high", {"value": 0.9}, {"value": 0.9, "interval": [0.8], "n": 5}, [0.9], {"value": 0.9, "interval": 1}],
)
def test_an_accuracy_in_an_invalid_format_is_ignored_and_other_versions_are_kept(accuracy: object) -> None:
    # WHEN
    *valid, invalid = by_version([*HISTORY, make_entry("live", "v11", accuracy=accuracy)])

    # THEN
    assert (invalid.model, invalid.accuracies) == ("v11", {})
    assert valid == list(by_version(HISTORY))


def test_section_is_none_without_history() -> None:
    assert trend(Results("local")) is None


def test_accuracies_are_read_from_the_entries_that_make_run_and_make_live_write() -> None:
    # GIVEN
    run = run_figures([make_execution("a", [0.98, 0.02]), make_execution("b", [0.97, 0.03])], {"a": 0, "b": 1})
    entries = [make_entry("run", "v2", **run), make_entry("live", "v2", **live_figures(make_live(0.9)))]

    # WHEN
    (version,) = by_version(entries)

    # THEN
    assert version.accuracies["Test images"] == Accuracy(0.5, run["accuracy_interval"], 2)
    traffic = version.accuracies["Live traffic"]
    assert (traffic.value, traffic.n) == (0.9, 30)
    assert traffic.interval == pytest.approx((0.82, 0.95))
