"""The images to review are written to a CSV file, and either all labels of a filled file are stored or none."""

import csv
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from evaluation.review.answers import make_answer, put_answer
from evaluation.review.csv_files import LabelsError, Stored, store_labels, write_queue
from evaluation.review.entries import read_entry
from tests.unit.evaluation.review.fakes import FakeS3, add_photograph, add_selected, make_store, photograph_id
from training.container.classifier.captured_records import object_name

COMMAND = "make review-csv ENV=dev"
A, B = "review/selected/a.json", "review/selected/b.json"


@pytest.fixture
def s3() -> FakeS3:
    """A bucket with three images to review."""
    s3 = FakeS3()
    add_selected(s3, "a")
    add_selected(s3, "b", reasons=["audit", "drift"])
    add_photograph(s3, "1.jpg", "v")
    return s3


def labels_file(directory: Path, *lines: str, header: str = "id,key,label") -> Path:
    """Write a CSV file with labels, and return its path."""
    path = directory / "labels.csv"
    path.write_text("\n".join((header, *lines)))
    return path


def answers(s3: FakeS3) -> list[str]:
    """Return the object names of the stored answers."""
    return [key.removeprefix("labels/answers/") for key in s3.objects if key.startswith("labels/")]


def test_csv_file_has_a_line_and_an_image_for_each_entry_without_an_answer(s3: FakeS3, tmp_path: Path) -> None:
    # GIVEN an image that has an answer, and an image that cannot be shown
    store = make_store(s3)
    put_answer(store, "a", make_answer(read_entry(store, A), "bicycle", "ana"))
    add_selected(s3, "c", image=b"broken")

    # WHEN
    path, number = write_queue(store, tmp_path / "review", command=COMMAND)

    # THEN
    photograph = photograph_id("1.jpg", "v")
    assert (path, number) == (tmp_path / "review" / "review.csv", 2)
    assert list(csv.reader(io.StringIO(path.read_text()))) == [
        ["id", "key", "reason", "image", "label"],
        ["b", B, "audit drift", "images/b.jpg", ""],
        [
            photograph,
            "review/THRESHOLD_CONFIDENCE_NOT_MET/zoe/v.json",
            "low_confidence",
            f"images/{photograph}.jpg",
            "",
        ],
    ]
    assert Image.open(tmp_path / "review" / "images" / "b.jpg").size == (512, 384)
    assert len(list((tmp_path / "review" / "images").iterdir())) == 2


def test_labels_of_a_filled_file_are_stored_and_existing_answers_are_kept(s3: FakeS3, tmp_path: Path) -> None:
    # GIVEN a file with labels for two of three images, one of which meanwhile has an answer
    store = make_store(s3)
    path, _ = write_queue(store, tmp_path, command=COMMAND)
    put_answer(store, "a", make_answer(read_entry(store, A), "neither", "ana"))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], f"{lines[1]}bicycle", f"{lines[2]}motorcycle", lines[3]]))

    # WHEN
    stored = store_labels(store, path, "ben", command=COMMAND)

    # THEN
    assert stored == Stored(new=1, answered=1)
    assert answers(s3) == ["a.json", "b.json"]
    assert b'"neither"' in s3.objects["labels/answers/a.json"]
    assert b'"seconds": null' in s3.objects["labels/answers/b.json"]
    assert store_labels(store, path, "ben", command=COMMAND) == Stored(new=0, answered=2)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"b,{B},bike", r"line 3: label must be one of bicycle, motorcycle, neither \(got 'bike'\)"),
        (
            f"b,{A},bicycle",
            r"line 3: there is no image with this id and key to review \(id 'b', key 'review/selected/a",
        ),
        ("b,review/selected/x.json,bicycle", "line 3: there is no image with this id and key"),
        (f"b,review/{'x' * 2000},bicycle", "line 3: there is no image with this id and key"),
        ("b,incoming/zoe/1.jpg,bicycle", "line 3: there is no image with this id and key"),
        ("b,,bicycle", "line 3: there is no image with this id and key"),
        (f"a,{A},bicycle", "line 3: the id 'a' is already on line 2"),
        (f"b,{B},bike\nx,y,bicycle", r"line 3: label .* \(and 1 more\)\. Nothing was stored"),
    ],
)
def test_error_names_an_invalid_line_and_nothing_is_stored(s3: FakeS3, tmp_path: Path, line: str, message: str) -> None:
    # GIVEN a valid line, and an invalid line
    path = labels_file(tmp_path, f"a,{A},bicycle", line)

    # WHEN / THEN
    with pytest.raises(LabelsError, match=message):
        store_labels(make_store(s3), path, "ana", command=COMMAND)
    assert answers(s3) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_formats_that_spreadsheets_write_are_read(s3: FakeS3, tmp_path: Path, encoding: str, delimiter: str) -> None:
    # GIVEN a file with quoted text that contains a line break, Windows line ends, other columns, empty lines and spaces
    path = tmp_path / "labels.csv"
    lines = (("notes", " Label", "key", "ID"), ('"a ""note""\r\n"', " bicycle ", A, "a"), ("", "", "", ""), ())
    path.write_bytes("\r\n".join(delimiter.join(line) for line in lines).encode(encoding))

    # WHEN / THEN
    assert store_labels(make_store(s3), path, "ana", command=COMMAND) == Stored(new=1, answered=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"id,label\n",
            "has no column key: correct the file, or delete it and run `make review-csv ENV=dev` for a new file",
        ),
        (b"", "has no column id"),
        (b"\xff\xfe\x00", "is not a CSV file in UTF-8"),
        (b"id,key,label,label\na,b,bicycle,motorcycle\n", "line 1 names the column label 2 times: keep one of them"),
        (b'id,key,label\n"a,b,c\n', "is not a CSV file in UTF-8"),
        (b"id,key,label\na,b,\nc\n", "has no labels: write bicycle or motorcycle or neither"),
    ],
)
def test_error_names_a_file_without_valid_labels(s3: FakeS3, tmp_path: Path, content: bytes, message: str) -> None:
    # GIVEN
    path = tmp_path / "labels.csv"
    path.write_bytes(content)

    # WHEN / THEN
    with pytest.raises(LabelsError, match=message):
        store_labels(make_store(s3), path, "ana", command=COMMAND)


def test_id_that_a_spreadsheet_would_evaluate_or_change_is_stored_unchanged(tmp_path: Path) -> None:
    # GIVEN images whose IDs a spreadsheet would evaluate as a formula, or change
    s3, ids = FakeS3(), ['=HYPERLINK("http://x")', "+1", "@x", "a\rb", " a ", "a/1"]
    for record_id in ids:
        add_selected(s3, object_name(record_id), id=record_id)
    store = make_store(s3)

    # WHEN
    path, number = write_queue(store, tmp_path, command=COMMAND)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *(f"{line}bicycle" for line in lines[1:])]))

    # THEN each line starts with a letter or digit, so a spreadsheet finds no formula, and the answers have the IDs
    assert number == len(ids)
    assert all(line[0].isalnum() for line in lines)
    assert store_labels(store, path, "ana", command=COMMAND) == Stored(new=len(ids), answered=0)
    assert {json.loads(s3.objects[f"labels/answers/{name}"])["id"] for name in answers(s3)} == set(ids)
    assert write_queue(store, tmp_path, command=COMMAND) == (path, 0)


def test_error_names_a_missing_file(s3: FakeS3, tmp_path: Path) -> None:
    # WHEN / THEN
    with pytest.raises(LabelsError, match=r"LABELS must be a CSV file: .*x\.csv cannot be read \(No such file"):
        store_labels(make_store(s3), tmp_path / "x.csv", "ana", command=COMMAND)


def test_csv_file_is_not_overwritten_while_its_labels_are_not_stored(s3: FakeS3, tmp_path: Path) -> None:
    # GIVEN a CSV file with a label
    store = make_store(s3)
    path, _ = write_queue(store, tmp_path, command=COMMAND)
    filled = path.read_text().replace("images/a.jpg,", "images/a.jpg,bicycle")
    path.write_text(filled)

    # WHEN / THEN
    with pytest.raises(
        LabelsError, match=r"has labels that are not stored: run `make review-csv ENV=dev LABELS=.*csv`"
    ):
        write_queue(store, tmp_path, command=COMMAND)
    assert path.read_text() == filled
    store_labels(store, path, "ana", command=COMMAND)
    assert write_queue(store, tmp_path, command=COMMAND)[1] == 2
    assert not (tmp_path / "images" / "a.jpg").exists()
