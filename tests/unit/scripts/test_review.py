"""`make select` and `make review-csv` print their results, and their errors name the next step."""

import argparse
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from common.errors import OperatorError
from common.times import parse_window
from evaluation.capture_location import CaptureLocation
from scripts import review_csv, select_images
from tests.unit.evaluation.review.fakes import FakeS3, add_selected, make_store, png
from tests.unit.stacks import make_stack
from training.container.classifier.captured_records import Record

LOCATION = CaptureLocation("s3://bucket/data_capture", "v3", "endpoint", "config", True)


def environment(directory: Path, s3: FakeS3, *, options: dict[str, Any], **stack: Any) -> Any:
    """Return a command's environment; `stack` replaces fields of the stack."""
    return SimpleNamespace(
        name="dev",
        stack=make_stack(**stack),
        directory=directory,
        options=argparse.Namespace(**options),
        window=parse_window("24h"),
        review_store=make_store(s3),
        client=lambda service: s3,
    )


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that sets the captured records and their location."""

    def set_records(*records: Record, location: CaptureLocation | None = LOCATION) -> None:
        def stream(*_: Any, **__: Any) -> Iterator[Record]:
            return iter(records)

        monkeypatch.setattr(select_images, "stream_records", stream)
        monkeypatch.setattr(select_images, "find_location", lambda environment: location)
        monkeypatch.setattr(select_images, "check_model", lambda environment, location: None)

    return set_records


def test_select_prints_the_number_of_added_images(
    tmp_path: Path, captured: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    captured(Record("a", "event", datetime.now(UTC), png(), (0.6, 0.4)))

    # WHEN
    select_images.main(environment(tmp_path, FakeS3(), options={"audit": 0.02}, threshold=0.7))

    # THEN
    printed = capsys.readouterr().out
    assert printed.startswith("model v3, since ")
    assert "new images to review: 1, selected before: 0" in printed
    assert "`make review ENV=dev` shows the images" in printed


def test_error_for_a_time_range_without_records_asks_for_another_since(
    tmp_path: Path, captured: Callable[..., None]
) -> None:
    # GIVEN
    captured()

    # WHEN / THEN
    with pytest.raises(OperatorError, match=r"no records of model v3 since .* UTC: choose another SINCE"):
        select_images.main(environment(tmp_path, FakeS3(), options={"audit": 0.02}))


@pytest.mark.parametrize(("enabled", "location"), [(False, LOCATION), (True, None)])
def test_error_for_an_endpoint_without_data_capture_names_capture_percentage(
    tmp_path: Path, captured: Callable[..., None], enabled: bool, location: CaptureLocation | None
) -> None:
    # GIVEN
    captured(location=location)

    # WHEN / THEN
    with pytest.raises(
        OperatorError, match=r"captures no data: set capture_percentage in .*, then run `make deploy ENV="
    ):
        select_images.main(environment(tmp_path, FakeS3(), options={"audit": 0.02}, data_capture_enabled=enabled))


def test_csv_file_is_written_and_its_labels_are_stored_once_it_is_filled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    s3, path = FakeS3(), tmp_path / "review" / "review.csv"
    add_selected(s3, "a")

    # WHEN
    review_csv.main(environment(tmp_path, s3, options={"labels": "", "reviewer": ""}))
    written = capsys.readouterr().out
    path.write_text(path.read_text().replace("a.jpg,", "a.jpg,bicycle"))
    review_csv.main(environment(tmp_path, s3, options={"labels": str(path), "reviewer": "ana"}))

    # THEN
    assert f"{path}: 1 image, in the folder beside this file" in written
    assert f"\n  make review-csv ENV=dev LABELS={path}\n" in written
    assert capsys.readouterr().out == "stored labels: 1; images that already had an answer, which is kept: 0\n"
    assert b'"reviewer": "ana"' in s3.objects["labels/answers/a.json"]
