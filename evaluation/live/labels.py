"""Read the labels of live images: CSV and JSON Lines files, and the answers of people who review images.

Users upload the files below the labels prefix, so every line is checked. An invalid line is left out, and a message
names the line.
"""

import contextlib
import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from common.inference_ids import inference_id, key_digits
from common.probabilities import is_probability
from common.s3 import THREADS, list_objects, read_if_exists
from evaluation.csv_header import LINE_BREAK, HeaderError, parse_header
from evaluation.executions import BELOW_THRESHOLD
from evaluation.review.answers import NEITHER
from evaluation.review.entries import SELECTED, SUFFIX
from training.container.classifier.captured_records import object_name

ANSWERS = "answers/"
FORMATS = (".csv", ".jsonl")
MAX_FILE_BYTES = 64 * 2**20
MAX_LINE_CHARACTERS = 2**16  # an S3 key has at most 1024 bytes
MAX_ANSWER_BYTES = 2**16
MAX_MESSAGES = 20  # maximum number of messages of each kind
MAX_SHOWN = 80  # maximum number of characters of an invalid value in a message
COLUMNS = ("label", "inference_id", "key", "version")
# Pairs of line number and the line's fields, or the reason why the line cannot be read
Rows = Iterator[tuple[int, "Mapping[str, Any] | LabelError"]]


class LabelError(Exception):
    """A label, or a file of labels, cannot be read."""


@dataclass(frozen=True)
class Label:
    """The true class of an image.

    Attributes
    ----------
    image : inference ID or key, as the label contains it
    record_id : ID of the image's record; None if the label contains a key without a version
    digits : first half of the IDs of all versions of the key; None if `record_id` is known
    name : name of the class, or `neither`
    source : file and line number, or key of the answer
    inclusion_probability : probability that the image was selected for review; None if it is not known
    audit_rate : rate of the audit sample that contains the image; None if no audit sample contains the image
    """

    image: str
    record_id: str | None
    digits: str | None
    name: str
    source: str
    inclusion_probability: float | None = None
    audit_rate: float | None = None


@dataclass
class LabelSet:
    """Valid labels, and the numbers of labels that were left out, with messages about the first of them."""

    labels: list[Label] = field(default_factory=list)
    files: int = 0
    answers: int = 0
    malformed: int = 0
    unknown_classes: int = 0
    messages: dict[str, list[str]] = field(default_factory=lambda: {"malformed": [], "unknown": []})

    def add(self, label: Label, classes: Sequence[str]) -> None:
        """Add a label if its class is one of `classes` or `neither`; otherwise count the label as unknown."""
        if label.name in classes or label.name == NEITHER:
            self.labels.append(label)
            return
        self.unknown_classes += 1
        allowed = shorten(", ".join([*classes, NEITHER]), 200)
        self._keep_message("unknown", f"{label.source}: the class must be one of {allowed} (got {shown(label.name)})")

    def reject(self, source: str, reason: object) -> None:
        """Count a label or a file that cannot be read, and keep a message about it."""
        self.malformed += 1
        self._keep_message("malformed", f"{source}: {reason}")

    def _keep_message(self, kind: str, message: str) -> None:
        if len(self.messages[kind]) < MAX_MESSAGES:
            self.messages[kind].append(message)


def read_labels(bucket: str, prefix: str, classes: Sequence[str], *, s3: Any) -> LabelSet:
    """Read all labels of an environment.

    Parameters
    ----------
    prefix : the labels prefix, without a slash at its end
    classes : class names of the model
    """
    found = LabelSet()
    stored = list(list_objects(bucket, f"{prefix}/", s3=s3))
    answers = f"{prefix}/{ANSWERS}"
    for each in stored:
        if not each["Key"].startswith(answers) and not each["Key"].endswith("/"):
            _read_file(bucket, each, classes, found, s3=s3)
    keys = [each["Key"] for each in stored if each["Key"].startswith(answers) and each["Key"].endswith(".json")]
    with ThreadPoolExecutor(THREADS) as pool:
        for key, answer in zip(keys, pool.map(lambda key: _read_answer(bucket, key, s3=s3), keys), strict=True):
            if isinstance(answer, Label):
                found.answers += 1
                found.add(answer, classes)
            elif answer is not None:
                found.reject(key, answer)
    return found


def _read_file(bucket: str, stored: Mapping[str, Any], classes: Sequence[str], found: LabelSet, *, s3: Any) -> None:
    """Add the labels of a file. A file that cannot be read at all counts as one malformed label."""
    key = stored["Key"]
    found.files += 1
    try:
        if not key.lower().endswith(FORMATS):
            raise LabelError(f"labels must be in a file whose name ends with {' or '.join(FORMATS)}")
        if stored["Size"] > MAX_FILE_BYTES:
            raise LabelError(f"the file has {stored['Size']} bytes; at most {MAX_FILE_BYTES} are allowed")
        content = read_if_exists(bucket, key, limit=MAX_FILE_BYTES, s3=s3)
        if content is None:
            raise LabelError("the file was deleted while the labels were read")
        text = decode(content)
        rows = csv_rows(text) if key.lower().endswith(".csv") else json_rows(text)
    except LabelError as error:
        found.reject(key, error)
        return
    for number, fields in rows:
        source = f"{key}, line {number}"
        try:
            if isinstance(fields, LabelError):
                raise fields
            found.add(to_label(fields, source), classes)
        except LabelError as error:
            found.reject(source, error)


def decode(content: bytes) -> str:
    """Return the text of a file in UTF-8 or, if it begins with a byte order mark, in UTF-16."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise LabelError(f"the file is not in UTF-8 (byte {error.start}): save it as CSV UTF-8") from error


def csv_rows(text: str) -> Rows:
    """Return the rows of a CSV file with a header."""
    first, *lines = LINE_BREAK.split(text)
    header, delimiter = read_header(first)

    def read(row: str) -> dict[str, str]:
        try:
            values = next(csv.reader([row], delimiter=delimiter, strict=True), [])
        except csv.Error as error:
            raise LabelError(f"not CSV: {error}") from error
        if len(values) != len(header):
            raise LabelError(f"{len(values)} columns, but the header has {len(header)}")
        return dict(zip(header, values, strict=True))

    return _rows(_csv_lines(lines, read), read)


def _csv_lines(lines: Sequence[str], read: Callable[[str], object]) -> Iterator[tuple[int, str]]:
    """Yield each row with the number of its first line, from line 2.

    A row consists of several lines only if these lines are valid CSV with a quoted value that contains line breaks. A
    missing quote therefore makes only one row invalid.
    """
    index = 0
    while index < len(lines):
        row, end = lines[index], index + 1
        if row.count('"') % 2:
            longer, after = _quoted_row(lines, index)
            with contextlib.suppress(LabelError):
                read(longer)
                row, end = longer, after
        yield index + 2, row
        index = end


def _quoted_row(lines: Sequence[str], start: int) -> tuple[str, int]:
    """Return the lines from `start` to the line that closes the quote, and the index of the line after them."""
    size = 0
    for end in range(start, len(lines)):
        size += len(lines[end])
        if size > MAX_LINE_CHARACTERS or (end > start and lines[end].count('"') % 2):
            return "\n".join(lines[start : end + 1]), end + 1
    return lines[start], start + 1


def _rows(lines: Iterable[tuple[int, str]], read: Callable[[str], Mapping[str, Any]]) -> Rows:
    """Yield the fields of each line that is not empty, or the reason why the line cannot be read."""
    for number, line in lines:
        if not line.strip(" ,;\t"):
            continue
        try:
            if len(line) > MAX_LINE_CHARACTERS:
                raise LabelError(f"the line has {len(line)} characters; at most {MAX_LINE_CHARACTERS} are allowed")
            yield number, read(line)
        except LabelError as error:
            yield number, error


def read_header(line: str) -> tuple[list[str], str]:
    """Return the columns that a header names, and the delimiter between them."""
    try:
        columns, delimiter = parse_header(line, COLUMNS)
    except (HeaderError, csv.Error) as error:
        raise LabelError(str(error)) from error
    if "label" not in columns or not {"inference_id", "key"} & set(columns):
        raise LabelError(f"line 1 must name the columns label, and inference_id or key (got {shown(line.strip())})")
    return columns, delimiter


def json_rows(text: str) -> Rows:
    """Return the rows of a JSON Lines file."""

    def read(line: str) -> Mapping[str, Any]:
        try:
            content = json.loads(line, object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            raise LabelError("not JSON") from error
        if not isinstance(content, Mapping):
            raise LabelError("not a JSON object")
        return content

    return _rows(enumerate(LINE_BREAK.split(text), start=1), read)


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return the fields of a JSON object; raise LabelError if a name occurs twice, because the values may differ."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise LabelError("a name is in the object more than once")
    return fields


def to_label(fields: Mapping[str, Any], source: str) -> Label:
    """Return the label in a row, which contains an inference ID, or a key with or without its version."""
    values = {name: fields.get(name) or "" for name in ("inference_id", "key", "version", "label")}
    for name, value in values.items():
        if not isinstance(value, str):
            raise LabelError(f"{name} must be text (got {shown(value)})")
    identity, version, name = (values[each].strip() for each in ("inference_id", "version", "label"))
    key = values["key"]
    if not name:
        raise LabelError("no label")
    if identity:
        return Label(identity, identity, None, name, source)
    if not key:
        raise LabelError("no inference_id and no key")
    if version:
        return Label(key, inference_id(key, version), None, name, source)
    return Label(key, None, key_digits(key), name, source)


def _read_answer(bucket: str, key: str, *, s3: Any) -> Label | LabelError | None:
    """Return the label in a person's answer, with the probabilities of the selection of the image.

    Return None if the answer was deleted meanwhile.
    """
    try:
        content = _read_json(bucket, key, s3=s3)
    except LabelError as error:
        return error
    if content is None:
        return None
    image, name, entry = (content.get(field) for field in ("id", "label", "entry"))
    if not (isinstance(image, str) and isinstance(name, str)):
        return LabelError("not an answer, because it has no id or no label")
    probability, audit_rate = None, None
    with contextlib.suppress(LabelError):
        if isinstance(entry, str) and entry:
            probability, audit_rate = _read_selection(bucket, entry, image, s3=s3)
    return Label(image, image, None, name, key, probability, audit_rate)


def _read_selection(bucket: str, entry: str, image: str, *, s3: Any) -> tuple[float | None, float | None]:
    """Return the result of `selection_of` for the entry that was answered.

    If the state machine wrote this entry, `make select` may have written a second entry for the same image, with the
    rate of its audit sample. This rate is then returned.
    """
    probability, audit_rate = selection_of(_read_json(bucket, entry, s3=s3))
    selected = f"{entry.partition('/')[0]}/{SELECTED}{object_name(image)}{SUFFIX}"
    if audit_rate is None and selected != entry:
        audit_rate = selection_of(_read_json(bucket, selected, s3=s3))[1]
    return probability, audit_rate


def selection_of(entry: Mapping[str, Any] | None) -> tuple[float | None, float | None]:
    """Return the probability that an image was selected for review, and the rate of its audit sample; None if unknown.

    Entries that the state machine writes contain no probability. Their probability is 1, because the state machine
    writes an entry for every photograph below the threshold.
    """
    if entry is None:
        return None, None
    if entry.get("error") == BELOW_THRESHOLD:
        return 1.0, None
    return _positive_probability(entry.get("inclusion_probability")), _positive_probability(entry.get("audit_rate"))


def _positive_probability(value: Any) -> float | None:
    return float(value) if is_probability(value) and value > 0 else None


def _read_json(bucket: str, key: str, *, s3: Any) -> Mapping[str, Any] | None:
    """Return a JSON object of S3, or None if it does not exist."""
    body = read_if_exists(bucket, key, limit=MAX_ANSWER_BYTES, s3=s3)
    if body is None:
        return None
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise LabelError(f"{key} is not JSON") from error
    if not isinstance(content, Mapping):
        raise LabelError(f"{key} is not a JSON object")
    return content


def shown(value: object) -> str:
    """Return an invalid value for a message: quoted, without control characters, and shortened."""
    return shorten(repr(value), MAX_SHOWN)


def shorten(text: str, length: int) -> str:
    """Return a text, truncated to `length` characters if it is longer."""
    return text if len(text) <= length else f"{text[: length - 3]}..."
