"""Review with a CSV file: write the images without an answer to a CSV file and a folder, and read the labels back."""

import csv
import io
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from common.errors import OperatorError
from common.files import write
from common.s3 import THREADS
from common.terminal import progress_bar
from evaluation.csv_header import LINE_BREAK, HeaderError, parse_header
from evaluation.review.answers import AnswerExistsError, allowed_labels, answered_images, make_answer, put_answer
from evaluation.review.entries import (
    Entry,
    EntryError,
    ReviewStore,
    list_entry_keys,
    read_entry,
)
from evaluation.review.pictures import PictureError, read_picture

COLUMNS = ("id", "key", "reason", "image", "label")
REQUIRED = ("id", "key", "label")
FILE, IMAGES = "review.csv", "images"


class LabelsError(OperatorError):
    """The CSV file of labels is invalid, or would be overwritten before its labels are stored. Nothing was stored."""


@dataclass(frozen=True)
class Row:
    """A labelled line of the file.

    Attributes
    ----------
    number : line number, counted from 1
    id : ID of the captured record as object keys contain it
    key : key of the review entry
    """

    number: int
    id: str
    key: str
    label: str


@dataclass(frozen=True)
class Stored:
    """The numbers of stored labels, and of images that already had an answer, which is not changed."""

    new: int
    answered: int


def write_queue(store: ReviewStore, directory: Path, *, command: str) -> tuple[Path, int]:
    """Write `review.csv` and a folder with the unanswered images; return the file's path and the number of images.

    Parameters
    ----------
    directory : folder, which is created if it is missing; images of an earlier call are deleted
    command : `make review-csv` with its environment, for the error messages

    Raises
    ------
    LabelsError
        The file exists, and it has labels that are not stored, cannot be read, or lacks a column.
    """
    answered = answered_images(store)
    path, images = directory / FILE, directory / IMAGES
    if path.exists() and any(row.id not in answered.names for row in read_rows(path, command=command)):
        raise LabelsError(f"{path} has labels that are not stored: run `{command} LABELS={path}`, or delete the file")
    shutil.rmtree(images, ignore_errors=True)
    images.mkdir(parents=True)

    def save(key: str) -> Entry | None:
        try:
            entry = read_entry(store, key)
            (images / f"{entry.name}.jpg").write_bytes(read_picture(store, entry))
        except (EntryError, PictureError):
            return None
        return entry

    keys = [key for key, is_answered in list_entry_keys(store, answered) if not is_answered]
    with ThreadPoolExecutor(THREADS) as pool:
        found = progress_bar(pool.map(save, keys), total=len(keys), desc="images", unit="image")
        entries = [entry for entry in found if entry]
    with io.StringIO(newline="") as stream:
        table = csv.writer(stream)
        table.writerow(COLUMNS)
        for entry in entries:
            # the ID as object keys contain it, because a spreadsheet program would evaluate an ID that begins with =
            table.writerow((entry.name, entry.key, " ".join(entry.reasons), f"{IMAGES}/{entry.name}.jpg", ""))
        write(path, stream.getvalue().encode())
    return path, len(entries)


def read_rows(path: Path, *, command: str) -> list[Row]:
    """Return the lines of a file that have a label.

    Parameters
    ----------
    command : `make review-csv` with its environment, for the error messages

    Raises
    ------
    LabelsError
        The file cannot be read or lacks a column.
    """
    try:
        text = path.read_text("utf-8-sig")  # spreadsheets begin a file with a byte order mark
        columns, delimiter = parse_header(LINE_BREAK.split(text, maxsplit=1)[0], REQUIRED)
        if missing := sorted(set(REQUIRED) - set(columns)):
            raise LabelsError(
                f"{path} has no column {missing[0]}: correct the file, or delete it and run `{command}` for a new file"
            )
        table = csv.DictReader(io.StringIO(text, newline=""), columns, delimiter=delimiter, strict=True)
        next(table)  # the header
        rows = [Row(table.line_num, *(str(line[name] or "").strip() for name in REQUIRED)) for line in table]
    except OSError as error:
        raise LabelsError(f"LABELS must be a CSV file: {path} cannot be read ({error.strerror})") from error
    except HeaderError as error:
        raise LabelsError(f"{path}, {error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise LabelsError(f"{path} is not a CSV file in UTF-8: {error}") from error
    return [row for row in rows if row.label]


def store_labels(store: ReviewStore, path: Path, reviewer: str, *, command: str) -> Stored:
    """Check all lines of a file, then store their labels as answers.

    Parameters
    ----------
    command : `make review-csv` with its environment, for the error messages

    Raises
    ------
    LabelsError
        The file cannot be read, lacks a column, has no labels, or has an invalid line. Nothing was stored.
    """
    rows, allowed = read_rows(path, command=command), allowed_labels(store.classes)
    if not rows:
        raise LabelsError(f"{path} has no labels: write {' or '.join(allowed)} into the column label")
    with ThreadPoolExecutor(THREADS) as pool:
        checks = list(pool.map(_entry_reader(store), rows))
    problems = [*_label_problems(rows, allowed), *(check for check in checks if isinstance(check, Problem))]
    if problems:
        first, *others = sorted(problems, key=lambda problem: problem.line)
        more = f" (and {len(others)} more)" if others else ""
        raise LabelsError(f"{path}, line {first.line}: {first.text}{more}. Nothing was stored")

    def save(pair: tuple[Row, Entry]) -> bool:
        row, entry = pair
        try:
            put_answer(store, entry.name, make_answer(entry, row.label, reviewer))
        except AnswerExistsError:
            return False
        return True

    entries = [check for check in checks if isinstance(check, Entry)]
    with ThreadPoolExecutor(THREADS) as pool:
        stored = list(pool.map(save, zip(rows, entries, strict=True)))
    return Stored(sum(stored), len(stored) - sum(stored))


@dataclass(frozen=True)
class Problem:
    """The reason why a line of the file is invalid."""

    line: int
    text: str


def _entry_reader(store: ReviewStore) -> Callable[[Row], Entry | Problem]:
    """Return a function that returns the entry of a line, or the reason why the line has no entry."""

    def read(row: Row) -> Entry | Problem:
        if row.key.startswith(f"{store.review_prefix}/"):
            try:
                entry = read_entry(store, row.key)
            except EntryError:
                pass
            else:
                if entry.name == row.id:
                    return entry
        return Problem(row.number, f"there is no image with this id and key to review (id {row.id!r}, key {row.key!r})")

    return read


def _label_problems(rows: Sequence[Row], labels: Sequence[str]) -> Iterator[Problem]:
    lines: dict[str, int] = {}
    for row in rows:
        if row.label not in labels:
            yield Problem(row.number, f"label must be one of {', '.join(labels)} (got {row.label!r})")
        if row.id in lines:
            yield Problem(row.number, f"the id {row.id!r} is already on line {lines[row.id]}")
        lines.setdefault(row.id, row.number)
