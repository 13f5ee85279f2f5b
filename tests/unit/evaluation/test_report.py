import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.files import StepMissingError, write_json
from evaluation import figures
from evaluation.captures import Captures
from scripts.evaluate import evaluate
from scripts.monitor import monitor
from scripts.report import NothingToReportError, read_results, render
from tests.unit.evaluation.runs import capture_line, make_execution, make_png, make_run
from tests.unit.stacks import make_stack

WRITTEN = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)
DRAWN = "sample drawn by this project (seed 0)"
TRAINING = {
    "source": "CIFAR-100 (cifar-100-python.tar.gz, md5 eb9058c3a382ffc7106e4002c42a8d85)",
    "job": "scones-local-vehicles-1",
    "model_package_arn": "arn:aws:sagemaker:us-east-1:123456789012:model-package/scones-local-vehicles/1",
    "validation": {"correct": 95, "n": 100, "accuracy": 0.95, "interval": [0.888, 0.978]},
    "metrics": {"epochs": [{"train_accuracy": 0.7, "validation_accuracy": 0.8}]},
    "quality_gate": {"passed": True, "reason": "above the bar"},
}


class Addresses(HTMLParser):
    """Everything that a page would fetch, and its tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [value or "" for name, value in attrs if name in ("src", "srcset", "href")]


def fill(directory: Path, **changes: Any) -> Path:
    """A folder as `run`, `evaluate`, `monitor` and `train` leave it."""
    run = make_run([make_execution("test/a.png", [0.98, 0.02]), make_execution("test/b.png", [0.6, 0.4])], **changes)
    captures = Captures()
    captures.add("a.jsonl", capture_line(make_png(1), [0.6, 0.4]) + b"\nbroken", classes=2)
    write_json(directory / "run.json", run)
    write_json(directory / "evaluation.json", evaluate(run, {"test/a.png": 0, "test/b.png": 1}))
    write_json(directory / "monitoring.json", monitor(captures, make_stack(), {}))
    write_json(directory / "training.json", TRAINING)
    return directory


@pytest.fixture
def plain_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take most of a page's time, and only one test looks at them."""
    monkeypatch.setattr(figures, "as_svg", lambda draw, theme: "<svg/>")


def page_of(directory: Path) -> str:
    return render(read_results(directory), directory, written=WRITTEN)


def test_the_page_needs_nothing_beside_itself(tmp_path: Path) -> None:
    # WHEN
    addresses = Addresses(page_of(fill(tmp_path)))

    # THEN
    assert len(addresses.found) >= 13  # six figures in two themes, and an image in doubt
    assert all(address.startswith("data:image/") for address in addresses.found)
    assert not addresses.tags & {"script", "link", "iframe"}


@pytest.mark.usefixtures("plain_figures")
def test_the_headline_has_the_figures_and_what_they_stand_on(tmp_path: Path) -> None:
    # WHEN
    page = page_of(fill(tmp_path))

    # THEN
    assert "CIFAR-100 (cifar-100-python.tar.gz" in page
    assert "<b>50.0%</b>" in page
    assert "1 of 2 test images" in page
    assert "<b>100.0%</b>" in page
    assert "not photographs" not in page


@pytest.mark.usefixtures("plain_figures")
def test_drawn_images_are_said_loudly(tmp_path: Path) -> None:
    assert "These are drawn images, not photographs." in page_of(fill(tmp_path, source=DRAWN))


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
def test_a_part_that_is_missing_names_its_target(tmp_path: Path, file: str, target: str) -> None:
    # GIVEN
    directory = fill(tmp_path)
    (directory / file).unlink()

    # WHEN / THEN
    assert f"Not there yet: run <code>make {target} ENV={tmp_path.name}</code>" in page_of(directory)


@pytest.mark.usefixtures("plain_figures")
def test_one_part_alone_makes_a_page(tmp_path: Path) -> None:
    # GIVEN
    write_json(tmp_path / "training.json", TRAINING)

    # WHEN
    page = page_of(tmp_path)

    # THEN
    assert "95.0%, 88.8% to 97.8% (95 %), n = 100" in page
    assert page.count("Not there yet") == 3


def test_without_any_part_there_is_nothing_to_report(tmp_path: Path) -> None:
    with pytest.raises(NothingToReportError, match="make demo ENV="):
        read_results(tmp_path)


def test_a_broken_part_names_its_target(tmp_path: Path) -> None:
    # GIVEN
    (tmp_path / "evaluation.json").write_text("{")

    # WHEN / THEN
    with pytest.raises(StepMissingError, match="make evaluate"):
        read_results(tmp_path)


@pytest.mark.usefixtures("plain_figures")
def test_what_comes_from_outside_is_escaped(tmp_path: Path) -> None:
    # WHEN
    page = page_of(fill(tmp_path, source="<script>alert(1)</script>"))

    # THEN
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.usefixtures("plain_figures")
@pytest.mark.parametrize(
    ("changes", "note"),
    [
        pytest.param({"started": "2026-03-01T12:30:00+00:00"}, "The evaluation is of an earlier run", id="evaluation"),
        pytest.param({"finished": "2999-01-01T00:00:00+00:00"}, "was read before the last run", id="monitoring"),
        pytest.param({"model_package_arn": "older"}, "answered by another model", id="model"),
        pytest.param({"source": DRAWN}, "learnt from other data", id="data"),
    ],
)
def test_parts_that_stand_on_different_ground_are_said(tmp_path: Path, changes: dict[str, str], note: str) -> None:
    # GIVEN
    directory = fill(tmp_path)
    assert note not in page_of(directory)
    executions = [make_execution("test/a.png", [0.98, 0.02])]
    write_json(directory / "run.json", make_run(executions, **changes))
    if "source" in changes:
        (directory / "evaluation.json").unlink()

    # WHEN / THEN
    assert note in page_of(directory)


@pytest.mark.usefixtures("plain_figures")
def test_what_calibrated_the_model_is_said_where_it_is_known(tmp_path: Path) -> None:
    # GIVEN
    directory = fill(tmp_path)
    before = page_of(directory)
    calibration = {"temperature": 1.25, "ece_before": 0.071, "ece_after": 0.022}
    write_json(directory / "training.json", {**TRAINING, "metrics": {"calibration": calibration}})

    # WHEN
    page = page_of(directory)

    # THEN
    said = "1.25; it takes the expected calibration error on the validation rows from 0.071 to 0.022"
    assert said in page
    assert '<th scope="row">temperature</th>' not in before


@pytest.mark.usefixtures("plain_figures")
@pytest.mark.parametrize("precision", [0.9, 1.0], ids=["reached", "reached by some"])
def test_the_threshold_for_a_wanted_precision_is_on_the_page(tmp_path: Path, precision: float) -> None:
    # GIVEN
    directory = fill(tmp_path)
    run = make_run([make_execution("test/a.png", [0.98, 0.02]), make_execution("test/b.png", [0.6, 0.4])])
    labels = {"test/a.png": 0, "test/b.png": 1}
    write_json(directory / "evaluation.json", evaluate(run, labels, precision=precision))

    # WHEN / THEN
    assert f"For a precision of {precision} the smallest threshold is <b>0.9</b>: 1 of 2 pass" in page_of(directory)


@pytest.mark.usefixtures("plain_figures")
@pytest.mark.parametrize("classes", [2, 9, 100])
def test_a_page_of_any_number_of_classes_has_a_row_of_each(tmp_path: Path, classes: int) -> None:
    # GIVEN each class called the next one
    names = [f"class_{number}" for number in range(classes)]
    answers = np.roll(np.eye(classes), 1, axis=1).tolist()
    run = make_run([make_execution(f"{number}", row) for number, row in enumerate(answers)], classes=names)
    write_json(tmp_path / "evaluation.json", evaluate(run, {f"{number}": number for number in range(classes)}))

    # WHEN
    page = page_of(tmp_path)

    # THEN
    assert all(f'<td>class {number}</td><td class="number">1</td>' in page for number in range(classes))
    assert ("<th>is</th><th>called</th>" in page) == (classes > 8)


@pytest.mark.usefixtures("plain_figures")
def test_executions_are_counted_by_outcome(tmp_path: Path) -> None:
    # WHEN
    page = page_of(fill(tmp_path))

    # THEN
    assert re.search(r"<code>THRESHOLD_CONFIDENCE_NOT_MET</code></td><td class=\"number\">1</td>", page)
