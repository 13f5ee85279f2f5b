import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.files import StepMissingError, write_json
from evaluation import figures
from evaluation.capture_location import CaptureLocation
from evaluation.capture_table import Captures
from evaluation.evaluate import evaluate
from evaluation.monitoring import Monitoring, monitor
from evaluation.report import read_results, render
from tests.unit.evaluation.runs import capture_line, make_execution, make_png, make_run

WRITTEN = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)
LOCATION = CaptureLocation("s3://b/data_capture", "v2", "cars", "cars-2", is_complete=True)
TRAINING = {
    "source": "CIFAR-100 (cifar-100-python.tar.gz, md5 eb9058c3a382ffc7106e4002c42a8d85)",
    "synthetic": False,
    "job": "scones-local-vehicles-1",
    "model_package_arn": "arn:aws:sagemaker:us-east-1:123456789012:model-package/scones-local-vehicles/1",
    "validation": {"correct": 95, "n": 100, "accuracy": 0.95, "interval": [0.888, 0.978]},
    "metrics": {"epochs": [{"train_accuracy": 0.7, "validation_accuracy": 0.8}]},
    "quality_gate": {"passed": True, "reason": "above the minimum accuracy"},
}


class Page(HTMLParser):
    """Collect the tags of a page and the addresses that it loads or links to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "srcset", "href")]


def monitored(other_records: int = 0) -> Monitoring:
    captures = Captures()
    captures.add("a.jsonl", capture_line(make_png(1), [0.6, 0.4]) + b"\nmalformed", classes=2)
    classes = ("bicycle", "motorcycle")
    return monitor(captures, LOCATION, other_records=other_records, threshold=0.93, classes=classes, known={})


def write_results(directory: Path, **changes: Any) -> Path:
    """Write the results of `train`, `run`, `evaluate` and `monitor`; `changes` replace fields of the run."""
    run = make_run([make_execution("test/a.png", [0.98, 0.02]), make_execution("test/b.png", [0.6, 0.4])], **changes)
    write_json(directory / "run.json", run)
    write_json(directory / "evaluation.json", evaluate(run, {"test/a.png": 0, "test/b.png": 1}))
    write_json(directory / "monitoring.json", monitored())
    write_json(directory / "training.json", TRAINING)
    return directory


@pytest.fixture
def plain_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the figures, because drawing them is slow and only one test checks them."""
    monkeypatch.setattr(figures, "as_svg", lambda draw, theme: "<svg/>")


def page_of(directory: Path) -> str:
    return render(read_results(directory), directory.name, written=WRITTEN)


def test_the_page_loads_no_external_resources(tmp_path: Path) -> None:
    # WHEN
    page = Page(page_of(write_results(tmp_path)))

    # THEN
    assert len(page.addresses) >= 13  # six figures in two themes, and a low-confidence image
    assert all(address.startswith("data:image/") for address in page.addresses)
    assert not page.tags & {"script", "link", "iframe"}


@pytest.mark.usefixtures("plain_figures")
def test_the_header_shows_the_metrics_and_the_data_set(tmp_path: Path) -> None:
    # WHEN
    page = page_of(write_results(tmp_path))

    # THEN
    assert "CIFAR-100 (cifar-100-python.tar.gz" in page
    assert "<b>50.0%</b>" in page
    assert "1 of 2 test images" in page
    assert "<b>100.0%</b>" in page
    assert "not photographs" not in page


@pytest.mark.usefixtures("plain_figures")
def test_the_page_warns_of_synthetic_images(tmp_path: Path) -> None:
    assert "These are synthetic images, not photographs." in page_of(write_results(tmp_path, synthetic=True))


@pytest.mark.usefixtures("plain_figures")
def test_the_number_of_other_models_records_is_shown(tmp_path: Path) -> None:
    # GIVEN
    directory = write_results(tmp_path)
    assert "Records of other models" not in page_of(directory)
    write_json(directory / "monitoring.json", monitored(other_records=7))

    # WHEN
    page = page_of(directory)

    # THEN
    assert "Model v2: 1 records" in page
    assert "Records of other models, which are not shown: 7." in page


@pytest.mark.usefixtures("plain_figures")
@pytest.mark.parametrize(
    ("file", "target"),
    [
        ("run.json", "run"),
        ("evaluation.json", "evaluate"),
        ("monitoring.json", "monitor"),
        ("training.json", "train"),
    ],
)
def test_a_section_without_results_names_its_command(tmp_path: Path, file: str, target: str) -> None:
    # GIVEN
    directory = write_results(tmp_path)
    (directory / file).unlink()

    # WHEN / THEN
    assert f"No results yet: run <code>make {target} ENV={tmp_path.name}</code>" in page_of(directory)


@pytest.mark.usefixtures("plain_figures")
def test_the_results_of_one_command_are_enough_for_a_page(tmp_path: Path) -> None:
    # GIVEN
    write_json(tmp_path / "training.json", TRAINING)

    # WHEN
    page = page_of(tmp_path)

    # THEN
    assert "95.0%, 88.8% to 97.8% (95 %), n = 100" in page
    assert page.count("No results yet") == 3


def test_error_without_results_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(StepMissingError, match="make demo ENV="):
        read_results(tmp_path)


@pytest.mark.parametrize("content", ["{", '{"source": "x"}'], ids=["invalid", "of another version"])
def test_an_invalid_result_names_its_command(tmp_path: Path, content: str) -> None:
    # GIVEN
    (tmp_path / "evaluation.json").write_text(content)

    # WHEN / THEN
    with pytest.raises(StepMissingError, match="make evaluate"):
        read_results(tmp_path)


@pytest.mark.usefixtures("plain_figures")
def test_external_text_is_escaped(tmp_path: Path) -> None:
    # WHEN
    page = page_of(write_results(tmp_path, source="<script>alert(1)</script>"))

    # THEN
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.usefixtures("plain_figures")
@pytest.mark.parametrize(
    ("changes", "note"),
    [
        pytest.param({"started": "2026-03-01T12:30:00+00:00"}, "The evaluation is of an earlier run", id="evaluation"),
        pytest.param({"finished": "2999-01-01T00:00:00+00:00"}, "was read before the last run", id="monitoring"),
        pytest.param({"model_package_arn": "older"}, "The last run used another model", id="model"),
        pytest.param({"source": "other"}, "was trained on another data set", id="data"),
    ],
)
def test_inconsistent_results_are_pointed_out(tmp_path: Path, changes: dict[str, str], note: str) -> None:
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
def test_the_temperature_is_shown_if_the_model_was_calibrated(tmp_path: Path) -> None:
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
def test_the_threshold_for_a_wanted_precision_is_shown(tmp_path: Path, precision: float) -> None:
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
def test_the_page_has_a_row_for_each_of_any_number_of_classes(tmp_path: Path, classes: int) -> None:
    # GIVEN that each class is predicted as the next one
    names = [f"class_{number}" for number in range(classes)]
    predictions = np.roll(np.eye(classes), 1, axis=1).tolist()
    run = make_run([make_execution(f"{number}", row) for number, row in enumerate(predictions)], classes=names)
    write_json(tmp_path / "evaluation.json", evaluate(run, {f"{number}": number for number in range(classes)}))

    # WHEN
    page = page_of(tmp_path)

    # THEN
    assert all(f'<td>class {number}</td><td class="number">1</td>' in page for number in range(classes))
    assert ("<th>True label</th><th>Predicted</th>" in page) == (classes > 8)


@pytest.mark.usefixtures("plain_figures")
def test_executions_are_counted_by_outcome(tmp_path: Path) -> None:
    # WHEN
    page = page_of(write_results(tmp_path))

    # THEN
    assert re.search(r"<code>THRESHOLD_CONFIDENCE_NOT_MET</code></td><td class=\"number\">1</td>", page)
