"""The report's section about drift, and the drift check of the verdict."""

from typing import Any

import pytest

from evaluation.report.drift_section import drift, drifted_properties, latest_result
from evaluation.report.results import Results
from evaluation.report.verdict import Status
from evaluation.report.verdict_section import drift as check
from tests.unit.evaluation.report.live_results import DRIFT, NO_DRIFT, REVIEWED, TOO_FEW, make_drift, make_live

DRIFT_FINDING = "the traffic has drifted (brightness and sharpness)"


def results_of(*figures: dict[str, Any], **known: Any) -> Results:
    """Return results with these drift results, one for each day, and with other results `known`."""
    return Results("local", 0.8, drift=make_drift(*figures) if figures else None, **known)


def test_latest_result_is_the_latest_comparison_with_enough_images_if_there_is_one() -> None:
    assert latest_result(make_drift(NO_DRIFT, DRIFT, TOO_FEW), None)["figures"]["outcome"] == "drift"
    assert latest_result(make_drift(TOO_FEW), None)["figures"]["outcome"] == "too_few_images"


def test_results_of_the_model_in_use_take_precedence() -> None:
    # GIVEN a result of v2 without drift, a later result of v3 with drift, and a rollback to v2
    results = results_of(NO_DRIFT, DRIFT, in_use="v2")
    assert results.drift is not None
    results.drift["results"][0]["model"] = "v2"
    results.drift["results"][1]["model"] = "v3"

    # THEN
    assert latest_result(results.drift, "v2")["model"] == "v2"
    assert check(results).status is Status.PASSED

    # AND a result of v2 from too few images takes precedence over an earlier result of v3
    results.drift["results"] = [results.drift["results"][1], *make_drift(TOO_FEW)["results"]]
    results.drift["results"][1]["model"] = "v2"
    assert check(results).finding == TOO_FEW["reason"]


def test_section_is_none_and_the_check_is_unknown_without_drift_results() -> None:
    assert drift(results_of()) is None
    assert check(results_of()).status is Status.UNKNOWN


def test_section_about_too_few_images_has_no_figures() -> None:
    # WHEN
    content = drift(results_of(TOO_FEW))

    # THEN
    assert content is not None
    assert (content["outcome"], content["figures"], content["changes"]) == ("too few images", {}, [])


def test_properties_that_drifted_are_listed_in_order_of_significance() -> None:
    assert drifted_properties(make_drift(DRIFT)["results"][0]["figures"]) == ["brightness", "sharpness"]


@pytest.mark.parametrize(
    ("figures", "live", "status", "finding"),
    [
        pytest.param(NO_DRIFT, None, Status.PASSED, "the traffic has not drifted", id="no drift"),
        pytest.param(DRIFT, None, Status.FAILED, DRIFT_FINDING, id="drift"),
        pytest.param(TOO_FEW, None, Status.UNKNOWN, TOO_FEW["reason"], id="too few images"),
        pytest.param(
            DRIFT,
            make_live(0.9),
            Status.PASSED,
            f"{DRIFT_FINDING}, but labelled images confirm the accuracy",
            id="confirmed by labels",
        ),
        pytest.param(
            DRIFT,
            make_live(0.82),
            Status.FAILED,
            DRIFT_FINDING,
            id="not confirmed by labels",
        ),
        pytest.param(
            DRIFT,
            make_live(
                0.9, reviewed={**REVIEWED, "start": "2026-02-01T00:00:00+00:00", "end": "2026-02-22T11:59:59+00:00"}
            ),
            Status.FAILED,
            DRIFT_FINDING,
            id="reviewed images are older",
        ),
        pytest.param(
            DRIFT,
            make_live(0.9, reviewed={**REVIEWED, "start": "2026-02-23T12:00:00+00:00"}),
            Status.FAILED,
            DRIFT_FINDING,
            id="reviewed images are newer",
        ),
        pytest.param(
            DRIFT,
            make_live(0.9, reviewed={**REVIEWED, "not_covered": 81}),
            Status.FAILED,
            DRIFT_FINDING,
            id="only a part of the traffic was reviewed",
        ),
    ],
)
def test_drift_fails_the_check_unless_labelled_images_confirm_the_accuracy(
    figures: dict[str, Any], live: Any, status: Status, finding: str
) -> None:
    # WHEN
    found = check(results_of(figures, live=live))

    # THEN
    assert (found.status, found.finding) == (status, finding)
