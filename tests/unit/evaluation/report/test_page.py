"""The HTML page of the report: its sections, notes, and behaviour with missing or invalid results."""

import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import OperatorError
from common.files import RESULT_FILES, NoResultError, StepMissingError, explain_missing_result, write_json
from evaluation import figures
from evaluation.evaluate import evaluate
from evaluation.execution_metrics import Outcomes
from evaluation.history import Kind
from evaluation.report.page import render
from evaluation.report.results import FILES, Reader, Results
from evaluation.report.sections import SECTIONS
from evaluation.report.verdict import Status
from evaluation.report.verdict_section import decide_on
from tests.unit.evaluation.report.live_results import (
    DRIFT,
    REVIEWED,
    make_change,
    make_drift,
    make_entry,
    make_live,
    make_unlabelled_live,
)
from tests.unit.evaluation.report.pages import TRAINING, all_results, monitored, results_of, write_results
from tests.unit.evaluation.runs import make_execution, make_run

WRITTEN = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)
ALL_KEYS = set[str]().union(*(kind.__required_keys__ for _, kind in FILES.values()))
# A text that the page shows from each result file
SHOWN = {
    "training": "scones-local-vehicles-1",
    "run": "The last run of the test images",
    "evaluation": "Confidence and threshold",
    "live": "Model v2: 400 captured images",
    "monitoring": "Model v2: 1 record in 1 file",
    "drift": "200 images against 100 of the baseline",
}


class Page(HTMLParser):
    """Parses a page, and collects the names of its tags and the URLs of its images and links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "srcset", "href")]


@pytest.fixture
def plain_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the figures with empty drawings, because drawing them is slow."""
    monkeypatch.setattr(figures, "as_svg", lambda draw, theme: "<svg/>")


def page_of(directory: Path, **known: Any) -> str:
    """Return the page with the results in the files of a directory, and with other results `known`."""
    return render(results_of(directory, **known), written=WRITTEN)


@pytest.mark.usefixtures("plain_figures")
def test_the_page_loads_no_external_resources(tmp_path: Path) -> None:
    # WHEN
    page = Page(page_of(write_results(tmp_path)))

    # THEN
    images = [address for address in page.addresses if not address.startswith("#")]
    assert len(images) == 25  # twelve figures in two themes, and a low-confidence image
    assert all(address.startswith("data:image/") for address in images)
    assert not page.tags & {"script", "link", "iframe"}


@pytest.mark.usefixtures("plain_figures")
def test_the_page_shows_accuracies_and_the_data_set(tmp_path: Path) -> None:
    # WHEN
    page = page_of(write_results(tmp_path))

    # THEN
    assert "CIFAR-100 (cifar-100-python.tar.gz" in page
    assert "<b>50.0%</b>" in page
    assert "1 of 2 test images" in page
    assert "<b>100.0%</b>" in page
    assert "not photographs" not in page


@pytest.mark.usefixtures("plain_figures")
def test_the_page_has_a_warning_for_synthetic_images(tmp_path: Path) -> None:
    assert "These are synthetic images, not photographs." in page_of(write_results(tmp_path, synthetic=True))


@pytest.mark.usefixtures("plain_figures")
def test_the_number_of_requests_to_other_models_is_shown(tmp_path: Path) -> None:
    # GIVEN
    directory = write_results(tmp_path)
    assert "Requests to other models" not in page_of(directory)
    write_json(directory / "monitoring.json", monitored(other_records=7))

    # WHEN
    page = page_of(directory)

    # THEN
    assert "Model v2: 1 record in 1 file" in page
    assert "Requests to other models, which are not shown: 7." in page


@pytest.mark.usefixtures("plain_figures")
@pytest.mark.parametrize(
    ("file", "target"),
    [
        ("run.json", "run"),
        ("evaluation.json", "evaluate"),
        ("monitoring.json", "monitor"),
        ("training.json", "train"),
        ("live.json", "live"),
        ("drift.json", "data-drift"),
    ],
)
def test_a_section_without_results_names_the_command_to_run(tmp_path: Path, file: str, target: str) -> None:
    # GIVEN
    directory = write_results(tmp_path)
    (directory / file).unlink()

    # WHEN / THEN
    assert f"No results yet: run <code>make {target} ENV={tmp_path.name}</code>" in page_of(directory)


@pytest.mark.usefixtures("plain_figures")
def test_the_page_is_written_with_the_results_of_only_one_command(tmp_path: Path) -> None:
    # GIVEN
    write_json(tmp_path / "training.json", TRAINING)

    # WHEN
    page = page_of(tmp_path)

    # THEN
    assert "95.0%, 88.8% to 97.8% (95 %), n = 100" in page
    assert page.count("No results yet") == len(SECTIONS) - 2  # the settings need no results


def test_error_without_any_result_names_make_demo(tmp_path: Path) -> None:
    with pytest.raises(StepMissingError, match="make demo ENV="):
        results_of(tmp_path)


INVALID = {
    "not JSON": "{",
    "not an object": "[1]",
    "of another version": '{"source": "x"}',
    "wrong types": json.dumps(dict.fromkeys(sorted(ALL_KEYS), "x")),
    "no values": json.dumps(dict.fromkeys(sorted(ALL_KEYS))),
}


@pytest.mark.usefixtures("plain_figures")
@pytest.mark.parametrize("content", list(INVALID.values()), ids=list(INVALID))
@pytest.mark.parametrize(("field", "target"), [(field, target) for field, (target, _) in FILES.items()])
def test_an_invalid_result_file_is_named_and_the_other_results_are_shown(
    tmp_path: Path, field: str, target: str, content: str
) -> None:
    # GIVEN
    directory = write_results(tmp_path)
    (directory / RESULT_FILES[target]).write_text(content)

    # WHEN
    page = page_of(directory)

    # THEN
    assert f"make {target}" in page
    assert page.count("<section ") == len(SECTIONS) + 1
    others = {name: text for name, text in SHOWN.items() if name != field}
    assert [name for name, text in others.items() if text not in page] == []


@pytest.mark.parametrize("content", ["{", '{"classes": []}'])
def test_the_verdict_says_which_results_cannot_be_read(tmp_path: Path, content: str) -> None:
    # GIVEN
    directory = write_results(tmp_path)
    for target, _ in FILES.values():
        (directory / RESULT_FILES[target]).write_text(content)
    write_json(directory / "training.json", TRAINING)

    # WHEN
    verdict = decide_on(results_of(directory))

    # THEN
    assert verdict.reason == (
        "The accuracy on the test images cannot be read; the accuracy in live traffic cannot be read."
    )
    assert [check.finding for check in verdict.checks[3:]] == [
        "the comparison with the training data cannot be read",
        "the executions cannot be read",
        "the executions cannot be read",
    ]


@pytest.mark.usefixtures("plain_figures")
@pytest.mark.parametrize("classes", [2, {}, "x", None])
def test_the_page_is_written_even_if_the_list_of_classes_is_invalid(tmp_path: Path, classes: Any) -> None:
    # GIVEN
    directory = write_results(tmp_path)
    evaluation = json.loads((directory / "evaluation.json").read_text())
    write_json(directory / "evaluation.json", {**evaluation, "classes": classes})

    # WHEN
    page = page_of(directory)

    # THEN
    assert page.count("<section ") == len(SECTIONS) + 1
    assert f"The results of <code>make evaluate ENV={tmp_path.name}</code> cannot be shown" in page


@pytest.mark.usefixtures("plain_figures")
@pytest.mark.parametrize("target", ["monitor", "live", "data-drift"])
def test_a_section_says_why_its_command_produced_no_result(tmp_path: Path, target: str) -> None:
    # GIVEN
    directory = write_results(tmp_path)
    with pytest.raises(NoResultError), explain_missing_result(directory, target):
        raise NoResultError("no captured records, only 2 malformed lines")

    # WHEN
    page = page_of(directory)

    # THEN
    assert '<p class="note">no captured records, only 2 malformed lines</p>' in page


@pytest.mark.usefixtures("plain_figures")
def test_small_p_values_are_shown_as_a_limit(tmp_path: Path) -> None:
    # GIVEN
    directory = write_results(tmp_path)
    change = make_change("brightness", 1e-12, has_drifted=True)
    write_json(directory / "drift.json", make_drift({**DRIFT, "changes": [change]}))
    live: Any = make_live()
    live["comparison"]["labelled"] = {**live["comparison"]["labelled"], "p_value": 1e-6}
    write_json(directory / "live.json", live)

    # WHEN
    page = page_of(directory)

    # THEN
    assert '<td class="number">&lt;1e-09</td>' in page
    assert '<td class="number">&lt;0.001</td>' in page


@pytest.mark.usefixtures("plain_figures")
def test_text_from_results_is_escaped(tmp_path: Path) -> None:
    # WHEN
    page = page_of(write_results(tmp_path, source="<script>alert(1)</script>"))

    # THEN
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.usefixtures("plain_figures")
@pytest.mark.parametrize(
    ("changes", "note"),
    [
        pytest.param(
            {"started": "2026-03-01T12:30:00+00:00"},
            "The evaluation is of an earlier run",
            id="evaluation of an earlier run",
        ),
        pytest.param(
            {"finished": "2999-01-01T00:00:00+00:00"}, "was read before the last run", id="monitoring before the run"
        ),
        pytest.param({"model_package_arn": "older"}, "The last run used another model", id="run with another model"),
        pytest.param({"source": "other"}, "was trained on another data set", id="model trained on other data"),
    ],
)
def test_the_page_has_a_note_if_results_do_not_belong_together(
    tmp_path: Path, changes: dict[str, str], note: str
) -> None:
    # GIVEN
    directory = write_results(tmp_path)
    assert note not in page_of(directory)
    executions = [make_execution("test/a.png", [0.98, 0.02])]
    write_json(directory / "run.json", make_run(executions, **changes))
    if "source" in changes:
        (directory / "evaluation.json").unlink()

    # WHEN / THEN
    assert note in page_of(directory)


@pytest.mark.usefixtures("plain_figures")
def test_the_calibration_temperature_is_shown_if_the_model_was_calibrated(tmp_path: Path) -> None:
    # GIVEN
    directory = write_results(tmp_path)
    before = page_of(directory)
    calibration = {"temperature": 1.25, "ece_before": 0.071, "ece_after": 0.022}
    write_json(directory / "training.json", {**TRAINING, "metrics": {"calibration": calibration}})

    # WHEN
    page = page_of(directory)

    # THEN
    text = "1.25; it changes the expected calibration error on the validation images from 0.071 to 0.022"
    assert text in page
    assert '<th scope="row">Temperature</th>' not in before


@pytest.mark.usefixtures("plain_figures")
@pytest.mark.parametrize("precision", [0.9, 1.0])
def test_the_threshold_for_a_target_precision_is_shown(tmp_path: Path, precision: float) -> None:
    # GIVEN
    directory = write_results(tmp_path)
    run = make_run([make_execution("test/a.png", [0.98, 0.02]), make_execution("test/b.png", [0.6, 0.4])])
    labels = {"test/a.png": 0, "test/b.png": 1}
    write_json(directory / "evaluation.json", evaluate(run, labels, precision=precision))

    # WHEN
    page = page_of(directory)

    # THEN
    assert f"The smallest threshold for a precision of {precision} is <b>0.9</b>." in page
    assert "the coverage is 50.0% (1 of 2 images;" in page


@pytest.mark.usefixtures("plain_figures")
@pytest.mark.parametrize("classes", [2, 9, 100])
def test_the_page_has_a_table_row_for_each_class(tmp_path: Path, classes: int) -> None:
    # GIVEN an image of each class, which is predicted as the next class
    names = [f"class_{number}" for number in range(classes)]
    predictions = np.roll(np.eye(classes), 1, axis=1).tolist()
    run = make_run([make_execution(f"{number}", row) for number, row in enumerate(predictions)], classes=names)
    write_json(tmp_path / "evaluation.json", evaluate(run, {f"{number}": number for number in range(classes)}))

    # WHEN
    page = page_of(tmp_path)

    # THEN
    assert all(f'<td>class {number}</td><td class="number">1</td>' in page for number in range(classes))
    assert ('<th scope="col">True label</th><th scope="col">Predicted</th>' in page) == (classes > 8)


@pytest.mark.usefixtures("plain_figures")
def test_executions_of_the_last_run_are_counted_by_outcome(tmp_path: Path) -> None:
    # WHEN
    page = page_of(write_results(tmp_path))

    # THEN
    assert re.search(r"<td class=\"breaks\">THRESHOLD_CONFIDENCE_NOT_MET</td><td class=\"number\">1</td>", page)


@pytest.mark.usefixtures("plain_figures")
def test_executions_durations_and_costs_of_the_time_range_are_shown(tmp_path: Path) -> None:
    # WHEN
    page = render(all_results(tmp_path), written=WRITTEN)

    # THEN
    assert "100 executions ended from 2026-02-22 13:00:00 UTC to 2026-03-01 13:00:00 UTC" in page
    assert "median 0.50 s, 95th percentile 1.20 s" in page
    assert "<b>11.04 USD</b>" in page
    assert "2 of 100 executions failed for another reason" in page


@pytest.mark.usefixtures("plain_figures")
def test_the_verdict_is_at_the_start_of_the_page_and_links_to_every_section(tmp_path: Path) -> None:
    # WHEN
    page = render(all_results(tmp_path), written=WRITTEN)

    # THEN there is a link to every section except the verdict
    assert page.index("Not fit for use") < page.index("<nav")
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert links == set(re.findall(r'<section id="([^"]+)"', page)) - {"verdict"}


@pytest.mark.usefixtures("plain_figures")
def test_a_section_shows_the_error_that_prevented_reading_its_results(tmp_path: Path) -> None:
    # GIVEN
    reader = Reader()
    reader.read_files(write_results(tmp_path))

    def fail() -> None:
        raise OperatorError("local is not deployed: run `make up ENV=local`")

    reader.read("cost", fail)

    # WHEN
    page = render(reader.results("local"), written=WRITTEN)

    # THEN
    assert "local is not deployed" in page[page.index('<section id="cost"') :]
    assert "Confidence and threshold" in page


@pytest.mark.usefixtures("plain_figures")
def test_results_of_labelled_live_traffic_are_shown_with_confidence_intervals(tmp_path: Path) -> None:
    # WHEN
    page = page_of(write_results(tmp_path))

    # THEN
    assert "<b>90.0%</b>" in page
    assert "82.0% to 95.0% (95 %)<br>all traffic, from 30 labelled images" in page
    assert "The labels of incoming/anna/1.jpg differ" in page
    assert "Too few images are labelled to show this precision: at least 59" in page
    assert "+12.0 percentage points (+2.0 to +20.0, 95 %)" in page


@pytest.mark.usefixtures("plain_figures")
def test_table_of_the_drift_section_says_which_properties_have_drifted(tmp_path: Path) -> None:
    # WHEN
    page = page_of(write_results(tmp_path))

    # THEN
    assert '<th scope="col">Property</th><th scope="col">Drifted</th>' in page
    assert '<td>brightness</td><td><b class="wrong">✗ drifted</b></td>' in page
    assert "<td>embedding</td><td>no</td>" in page


@pytest.mark.usefixtures("plain_figures")
def test_live_traffic_without_labels_has_a_note_and_no_metrics(tmp_path: Path) -> None:
    # GIVEN
    directory = write_results(tmp_path)
    write_json(directory / "live.json", make_unlabelled_live())

    # WHEN
    page = page_of(directory)

    # THEN
    assert "No image is labelled." in page
    assert "No labelled image is misclassified" not in page
    assert "No labelled images of live traffic were evaluated" in page


@pytest.mark.usefixtures("plain_figures")
def test_records_of_live_traffic_that_are_not_included_are_counted(tmp_path: Path) -> None:
    # GIVEN only the results of `make live`, because the results of `make monitor` have such counts too
    lines = [f"some-file.jsonl, line {number}: not JSON" for number in range(100)]
    write_json(tmp_path / "live.json", make_live(duplicates=4, malformed=250, malformed_lines=lines, skewed=7))

    # WHEN
    page = page_of(tmp_path)

    # THEN
    assert "Earlier records of the same ID, which are not included: 4." in page
    assert "Malformed lines, which are not included: 250 (some-file.jsonl, line 0: not JSON, …)." in page
    assert "which are included: 7." in page


@pytest.mark.usefixtures("plain_figures")
def test_live_accuracy_below_the_minimum_is_the_reason_of_the_verdict(tmp_path: Path) -> None:
    # GIVEN
    directory = write_results(tmp_path)
    write_json(directory / "live.json", make_live(0.6))

    # WHEN
    page = page_of(directory)

    # THEN
    assert "The accuracy in live traffic is 60.0% (52.0% to 65.0%, 30 images), below the minimum of 80.0%." in page


@pytest.mark.usefixtures("plain_figures")
@pytest.mark.parametrize("kind", ["training", "run", "live", "monitoring", "drift"])
def test_the_page_is_complete_even_if_a_history_entry_is_invalid(tmp_path: Path, kind: Kind) -> None:
    # GIVEN
    invalid: dict[str, Any] = dict.fromkeys(("accuracy", "outcome", "changes"), "x")
    entry = make_entry(kind, "v1", **invalid)

    # WHEN
    page = render(results_of(write_results(tmp_path), history=[entry]), written=WRITTEN)

    # THEN
    assert page.count("<section ") == len(SECTIONS) + 1
    assert [text for text in SHOWN.values() if text not in page] == []


@pytest.mark.usefixtures("plain_figures")
def test_the_verdict_ignores_results_of_other_models(tmp_path: Path) -> None:
    # GIVEN a new model in use, which has only been trained, and other results of earlier models
    directory = write_results(tmp_path)
    write_json(directory / "training.json", {**TRAINING, "model_package_arn": "arn:model-package/vehicles/3"})

    # WHEN
    checks = {check.name: check for check in decide_on(results_of(directory, in_use="v3")).checks}

    # THEN
    assert checks["quality gate"].status is Status.PASSED
    assert checks["accuracy on the test images"].finding == "the result is of v1, but v3 is in use"
    assert checks["accuracy in live traffic"].finding == "the result is of v2, but v3 is in use"
    assert checks["drift"].finding == "the result is of v1, but v3 is in use"


@pytest.mark.usefixtures("plain_figures")
@pytest.mark.parametrize(("count", "status"), [(80, Status.PASSED), (81, Status.UNKNOWN)])
def test_live_accuracy_is_not_known_if_much_of_the_traffic_was_not_reviewed(
    tmp_path: Path, count: int, status: Status
) -> None:
    # GIVEN 400 captured images, some of which are older or newer than all reviewed images
    directory = write_results(tmp_path)
    write_json(directory / "live.json", make_live(0.9, reviewed={**REVIEWED, "not_covered": count}))

    # WHEN
    checks = {check.name: check for check in decide_on(results_of(directory)).checks}

    # THEN
    found = checks["accuracy in live traffic"]
    assert found.status is status
    assert ("81 of the 400 captured images are older or newer" in found.finding) == (status is Status.UNKNOWN)


def test_the_verdict_uses_the_last_run_if_no_execution_ended_in_the_time_range(tmp_path: Path) -> None:
    # GIVEN a run with one failed and 19 successful executions
    failed = make_execution("test/a.png", None, error="States.Timeout")
    write_json(tmp_path / "run.json", make_run([failed, *[make_execution("test/b.png", [0.98, 0.02])] * 19]))
    nothing = Outcomes(succeeded=0, low_confidence=0, invalid_image=0, failed=0, timed_out=0, aborted=0)

    def findings(in_use: str) -> list[str]:
        checks = decide_on(results_of(tmp_path, in_use=in_use, outcomes=nothing)).checks
        return [check.finding for check in checks if check.section == "executions"]

    # WHEN / THEN
    assert findings("v1") == [
        "1 of 20 executions failed for another reason than the image or the threshold",
        "19 executions are too few",
    ]
    assert findings("v3") == ["the result is of v1, but v3 is in use"] * 2


def test_the_verdict_says_that_no_image_was_classified_if_all_images_were_invalid() -> None:
    # GIVEN
    outcomes = Outcomes(succeeded=0, low_confidence=0, invalid_image=3, failed=0, timed_out=0, aborted=0)

    # WHEN
    checks = {check.name: check for check in decide_on(Results("local", outcomes=outcomes)).checks}

    # THEN
    assert checks["failed executions"].status is Status.PASSED
    assert checks["low confidence"].finding == "no image was classified"


@pytest.mark.usefixtures("plain_figures")
@pytest.mark.parametrize("is_supported", [True, False])
def test_a_threshold_is_recommended_only_if_enough_images_are_labelled(tmp_path: Path, is_supported: bool) -> None:
    # GIVEN
    recommendation = make_live()["recommendation"]
    live = make_live(recommendation={**(recommendation or {}), "is_supported": is_supported})
    write_json(tmp_path / "live.json", live)

    # WHEN
    page = page_of(tmp_path)

    # THEN
    assert ("VALUE=0.95" in page) == is_supported
    assert ("Too few images are labelled to show this precision" in page) != is_supported


@pytest.mark.usefixtures("plain_figures")
def test_the_page_does_not_ask_for_more_labels_if_no_threshold_reaches_the_precision(tmp_path: Path) -> None:
    # GIVEN
    recommendation = {**(make_live()["recommendation"] or {}), "threshold": None, "is_supported": False}
    write_json(tmp_path / "live.json", make_live(recommendation=recommendation))

    # WHEN
    page = page_of(tmp_path)

    # THEN
    assert "No threshold reaches this precision." in page
    assert "Too few images are labelled" not in page


def test_labelled_images_that_are_not_a_random_sample_do_not_decide_the_verdict(tmp_path: Path) -> None:
    # GIVEN only labels from files, which do not say how the images were selected
    write_json(tmp_path / "live.json", make_live(traffic=None, audit=None))

    # WHEN
    checks = {check.name: check for check in decide_on(results_of(tmp_path)).checks}

    # THEN
    found = checks["accuracy in live traffic"]
    assert (found.status, found.finding) == (
        Status.UNKNOWN,
        "the labelled images are not a random sample of live traffic",
    )


@pytest.mark.usefixtures("plain_figures")
def test_labels_that_are_not_used_are_counted_and_named_unchanged(tmp_path: Path) -> None:
    # GIVEN
    message = "labels/a.csv, line 2: no captured image 'incoming/anna/1.jpg'"
    labels = {**make_live()["labels"], "unmatched": 238, "messages": [message]}
    write_json(tmp_path / "live.json", make_live(labels=labels))

    # WHEN
    page = page_of(tmp_path)

    # THEN one note has the number, and the message about the key is shown unchanged
    assert "Labels of images that are not captured in this time range: 238." in page
    assert page.count("labels/a.csv, line 2") == 1
