"""The captured predictions of one model, in a temporary SQLite database on disk.

The database does not contain the images. The memory use for captures from S3 therefore does not depend on the number of
records. The few images that are shown are read again from S3.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from common.inference_ids import DIGITS, key_digits
from common.s3 import THREADS
from common.times import Window
from evaluation.capture_files import (
    HOUR,
    SUFFIX,
    Line,
    Stored,
    hour_of,
    list_files,
    read_lines,
    read_range,
    split_folder,
    split_lines,
)
from evaluation.captures import MalformedLine, parse_line
from staging.checksum import content_md5
from training.container.classifier.captured_records import Record, parse_records

MAX_MALFORMED = 100  # maximum number of malformed lines that are listed; all malformed lines are counted
ALL_TIME = Window(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
CACHE_KIBIBYTES = 2**14
SCHEMA = """
CREATE TABLE files (number INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE records (
    id TEXT PRIMARY KEY, event_id TEXT, time REAL, class INTEGER, confidence REAL, md5 TEXT,
    file INTEGER, line INTEGER, offset INTEGER, size INTEGER, position INTEGER
) WITHOUT ROWID;
CREATE TABLE known (md5 TEXT PRIMARY KEY, class INTEGER) WITHOUT ROWID;
CREATE VIEW predictions AS
SELECT id, event_id, time, records.class, confidence, records.md5, name, line, offset, size, position,
    coalesce(records.md5, id) AS image, known.class AS label
FROM records JOIN files ON files.number = records.file LEFT JOIN known ON known.md5 = records.md5;
"""
# If several records have the same ID, only the latest is kept. If they have the same time, the one that was added last
# is kept.
INSERT = """
INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET event_id = excluded.event_id, time = excluded.time, class = excluded.class,
    confidence = excluded.confidence, md5 = excluded.md5, file = excluded.file, line = excluded.line,
    offset = excluded.offset, size = excluded.size, position = excluded.position
WHERE excluded.time >= records.time
"""
ORDERED = "SELECT * FROM predictions ORDER BY time, name, line, position"
SAMPLE = """
SELECT * FROM (SELECT *, row_number() OVER (ORDER BY time, name, line, position) AS number FROM predictions)
WHERE number % ? = 0
"""
BUCKETS = """
SELECT CAST(time AS INTEGER) / ?1 * ?1 AS start, count(*), sum(confidence < ?2), avg(confidence)
FROM records GROUP BY start ORDER BY start
"""
COUNT_LOW = "SELECT count(DISTINCT image) FROM predictions WHERE confidence < ?"
# If several records of one image match, only the latest of them is returned: in a query with max(time), SQLite takes
# all other columns from the row with the maximum (https://www.sqlite.org/lang_select.html#bareagg).
LOW = "SELECT *, max(time) FROM predictions WHERE confidence < ? GROUP BY image ORDER BY confidence, id LIMIT ?"
COUNT_MISTAKES = "SELECT count(DISTINCT image) FROM predictions WHERE confidence >= ? AND class != label"
MISTAKES = """
SELECT *, max(time) FROM predictions WHERE confidence >= ? AND class != label
GROUP BY image ORDER BY confidence DESC, id LIMIT ?
"""


@dataclass(frozen=True)
class Prediction:
    """A captured record without the image and the probabilities.

    Attributes
    ----------
    id, event_id, time, class_number, confidence : see `Record`
    md5 : MD5 of the image; None if only responses are captured
    line : line of the capture file that contains the record, without the line's content
    position : position of the record among the records of the line, counted from 0
    """

    id: str
    event_id: str
    time: datetime
    class_number: int
    confidence: float
    md5: str | None
    line: Line
    position: int


@dataclass(frozen=True)
class Totals:
    """Metrics of all records: number below the threshold, mean confidence, first and last time."""

    below_threshold: int
    mean_confidence: float
    first: datetime
    last: datetime


class Captures:
    """The records of one model in a time range. If several records have the same ID, only the latest is included.

    Attributes
    ----------
    malformed : number of lines that could not be read
    malformed_lines : the first `MAX_MALFORMED` of these lines
    skewed : number of records whose time is more than an hour before or after the hour in their file's key
    """

    def __init__(self, window: Window = ALL_TIME) -> None:
        self.window = window
        self.malformed = 0
        self.malformed_lines: list[MalformedLine] = []
        self.skewed = 0
        self._added = 0
        self._read_line: Callable[[Line], bytes | None] = lambda line: self._contents[line.file][
            line.offset : line.offset + line.size
        ]
        self._contents: dict[str, bytes] = {}
        self._classes = 0
        # "" is a temporary database in a file without a name: https://www.sqlite.org/inmemorydb.html
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}; PRAGMA journal_mode = OFF; {SCHEMA}")

    def __len__(self) -> int:
        return int(self._value("SELECT count(*) FROM records"))

    @property
    def files(self) -> int:
        """Number of files that contain the included records."""
        return int(self._value("SELECT count(DISTINCT file) FROM records"))

    @property
    def duplicates(self) -> int:
        """Number of records that are not included, because a later record has the same ID."""
        return self._added - len(self)

    def add(self, name: str, content: bytes, *, classes: int) -> None:
        """Add the content of a capture file, which is kept in memory.

        Parameters
        ----------
        classes : number of probabilities in each prediction
        """
        self._contents[name] = content
        self._add_lines(split_lines(name, [content]), classes)

    def read_new_files(self, uri: str, endpoint: str, *, classes: int, s3: Any) -> None:
        """Add the endpoint's files that have not been read yet.

        Parameters
        ----------
        uri : the `DestinationS3Uri` of the endpoint's data capture
        """
        bucket, prefix = split_folder(uri)
        self._read_line = lambda line: read_range(bucket, line, s3=s3)

        def new(files: Iterable[Stored]) -> Iterator[Stored]:
            return (stored for stored in files if self._file_number(stored["Key"]) is None)

        listed = list_files(bucket, f"{prefix}{endpoint}/", self.window, s3=s3)
        self._add_lines(read_lines(bucket, new(listed), s3=s3), classes)

    def _add_lines(self, lines: Iterable[Line], classes: int) -> None:
        self._classes = classes
        self._database.execute("BEGIN")
        for name, of_file in groupby(lines, key=lambda line: line.file):
            file, hour = self._file_number(name) or self._add_file(name), hour_of(name)
            for line in of_file:
                for position, found in enumerate(parse_line(line, self.window, classes=classes)):
                    if isinstance(found, MalformedLine):
                        self.malformed += 1
                        self.malformed_lines += [found] if self.malformed <= MAX_MALFORMED else []
                        continue
                    where = (file, line.number, line.offset, line.size, position)
                    self._add_record(found, where)
                    self.skewed += hour is not None and found.time not in Window(hour.start - HOUR, hour.end + HOUR)
        self._database.execute("COMMIT")

    def _add_record(self, record: Record, where: tuple[int, ...]) -> None:
        self._added += 1
        md5 = None if record.image is None else content_md5(record.image)
        identity = (_text(record.id), _text(record.event_id), record.time.timestamp())
        self._database.execute(INSERT, (*identity, record.class_number, record.confidence, md5, *where))

    def _file_number(self, name: str) -> int | None:
        row = self._database.execute("SELECT number FROM files WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def _add_file(self, name: str) -> int:
        return int(self._database.execute("INSERT INTO files (name) VALUES (?)", (name,)).lastrowid or 0)

    def predictions(self) -> Iterator[Prediction]:
        """Yield all predictions in order of time; predictions of the same second are in order of file and line."""
        return map(_prediction, self._database.execute(ORDERED))

    def count_since(self, moment: datetime) -> int:
        """Return the number of records at or after a time."""
        return int(self._value("SELECT count(*) FROM records WHERE time >= ?", moment.timestamp()))

    def count_keys_since(self, keys: Iterable[str], moment: datetime) -> int:
        """Return the number of S3 keys whose images, in any version, have a record at or after a time."""
        digits = {key_digits(key) for key in keys}
        rows = self._database.execute(
            "SELECT substr(id, 1, ?) FROM records WHERE time >= ?", (DIGITS, moment.timestamp())
        )
        return len({found for (found,) in rows if found in digits})

    def count_at_least(self, confidence: float) -> int:
        """Return the number of records with at least this confidence."""
        return int(self._value("SELECT count(*) FROM records WHERE confidence >= ?", confidence))

    def totals(self, threshold: float) -> Totals:
        """Return the metrics of all records; there must be at least one record."""
        below, mean, first, last = self._database.execute(
            "SELECT sum(confidence < ?), avg(confidence), min(time), max(time) FROM records", (threshold,)
        ).fetchone()
        return Totals(below, mean, _time(first), _time(last))

    def class_counts(self) -> dict[int, int]:
        """Return the number of records of each predicted class, by class number."""
        return dict(self._database.execute("SELECT class, count(*) FROM records GROUP BY class").fetchall())

    def buckets(self, seconds: int, threshold: float) -> list[tuple[datetime, int, int, float]]:
        """Return start, number of records, number below the threshold and mean confidence of each time bucket."""
        rows = self._database.execute(BUCKETS, (seconds, threshold))
        return [(_time(start), count, below, mean) for start, count, below, mean in rows]

    def sample(self, count: int) -> list[Prediction]:
        """Return all records if there are at most `count`, otherwise every n-th record in order of time."""
        step = max(1, -(-len(self) // count))
        return list(map(_prediction, self._database.execute(SAMPLE, (step,))))

    def low_confidence(self, threshold: float, count: int) -> tuple[int, list[Prediction]]:
        """Return the number of images below the threshold, and the `count` images with the lowest confidence."""
        rows = self._database.execute(LOW, (threshold, count))
        return int(self._value(COUNT_LOW, threshold)), list(map(_prediction, rows))

    def confident_mistakes(
        self, labels: Mapping[str, int], threshold: float, count: int
    ) -> tuple[int, list[Prediction]]:
        """Return the number of misclassified images at or above the threshold, and the `count` most confident of them.

        Parameters
        ----------
        labels : class number of known images by their MD5
        """
        self._database.execute("DELETE FROM known")
        self._database.executemany("INSERT INTO known VALUES (?, ?)", labels.items())
        rows = self._database.execute(MISTAKES, (threshold, count))
        return int(self._value(COUNT_MISTAKES, threshold)), list(map(_prediction, rows))

    def images(self, predictions: Sequence[Prediction]) -> list[bytes | None]:
        """Read the images of predictions.

        An image is None if only responses are captured, or if the capture file was deleted meanwhile.
        """
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(self._image, predictions))

    def _image(self, prediction: Prediction) -> bytes | None:
        content = self._read_line(prediction.line)
        return parse_records(content, classes=self._classes)[prediction.position].image if content else None

    def _value(self, query: str, *values: float) -> Any:
        return self._database.execute(query, values).fetchone()[0]


def read_directory(directory: Path, *, classes: int) -> Captures:
    """Read all capture files below a folder."""
    captures = Captures()
    for path in sorted(directory.rglob(f"*{SUFFIX}")):
        captures.add(path.relative_to(directory).as_posix(), path.read_bytes(), classes=classes)
    return captures


def _prediction(row: Sequence[Any]) -> Prediction:
    record_id, event_id, time, number, confidence, md5, file, line, offset, size, position, *_ = row
    where = Line(file, line, offset, size, None)
    return Prediction(record_id, event_id, _time(time), number, confidence, md5, where, position)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _text(value: str) -> str:
    """Return a text that SQLite can store: replace unpaired surrogates, which JSON may contain, with `?`."""
    return value.encode("utf-8", "replace").decode()
