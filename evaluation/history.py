"""The history of results: one immutable JSON object in S3 for each result.

The report draws trends from these objects and does not compute earlier results again. The key of an object is
`<prefix>/<kind>/<yyyy>/<mm>/<dd>/<yyyymmddThhmmssffffff>-<8 hex digits>.json`. Each write creates a new key, so
simultaneous writers do not overwrite each other's results.
"""

import contextlib
import json
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypedDict, cast

from common.s3 import THREADS, ConditionError, list_objects, put_if, read_if_exists
from common.times import Window

Kind = Literal["training", "run", "monitoring", "live", "drift"]
MAX_BYTES = 2**20  # maximum size of an entry


class Entry(TypedDict):
    """An object of the history.

    Attributes
    ----------
    written : time of the write in ISO 8601
    model : model version, such as `v3`; None if the model is not a registered version
    window : start and end of the time range in ISO 8601; None if the result does not belong to a time range
    figures : metrics (numbers and short texts) by name
    """

    kind: Kind
    written: str
    environment: str
    model: str | None
    window: dict[str, str] | None
    figures: dict[str, Any]


@dataclass(frozen=True)
class History:
    """The history of an environment.

    Attributes
    ----------
    bucket : name of the S3 bucket
    prefix : key prefix of the objects, without a slash at the end
    environment : name of the environment
    s3 : S3 client
    """

    bucket: str
    prefix: str
    environment: str
    s3: Any

    def append(
        self,
        kind: Kind,
        figures: Mapping[str, Any],
        *,
        model: str | None,
        window: Window | None = None,
        now: datetime | None = None,
    ) -> str:
        """Write an entry, and return its key. The write is conditional, so it never replaces an entry."""
        written = now or datetime.now(UTC)
        entry = Entry(
            kind=kind,
            written=written.isoformat(),
            environment=self.environment,
            model=model,
            window=window.to_json() if window else None,
            figures=dict(figures),
        )
        body = json.dumps(entry).encode()
        while True:
            key = f"{self.prefix}/{kind}/{written:%Y/%m/%d/%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}.json"
            with contextlib.suppress(ConditionError):
                put_if(self.bucket, key, body, s3=self.s3)
                return key

    def read(self, kind: Kind, since: datetime | None = None) -> list[Entry]:
        """Return the entries of a kind in order of time; objects that are not valid entries are left out.

        Parameters
        ----------
        since : only entries that were written at this time or later are returned; None for all entries
        """
        with ThreadPoolExecutor(THREADS) as pool:
            found = list(pool.map(self._read_entry, self._keys(kind, since)))
        return [entry for entry in found if entry]

    def latest(self, kind: Kind, since: datetime) -> Entry | None:
        """Return the latest valid entry of a kind that was written at `since` or later, or None if there is none.

        Older entries are not downloaded.
        """
        entries = map(self._read_entry, reversed(self._keys(kind, since)))
        return next(filter(None, entries), None)

    def _keys(self, kind: Kind, since: datetime | None) -> list[str]:
        folder = f"{self.prefix}/{kind}/"
        after = f"{folder}{since.astimezone(UTC):%Y/%m/%d/%Y%m%dT%H%M%S%f}" if since else ""
        return [stored["Key"] for stored in list_objects(self.bucket, folder, s3=self.s3, after=after)]

    def _read_entry(self, key: str) -> Entry | None:
        body = read_if_exists(self.bucket, key, limit=MAX_BYTES, s3=self.s3)
        if body is None:  # the object was deleted after it was listed
            return None
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            return None
        return cast(Entry, content) if is_entry(content) else None


def is_entry(content: object) -> bool:
    """Return whether the content of an object has the format of an entry; the content of `figures` is not checked."""
    return (
        isinstance(content, dict)
        and content.keys() >= Entry.__required_keys__
        and _is_time(content["written"])
        and all(isinstance(content[name], str) for name in ("kind", "environment"))
        and isinstance(content["model"], str | None)
        and (content["window"] is None or _is_window(content["window"]))
        and isinstance(content["figures"], dict)
    )


def _is_window(value: object) -> bool:
    return isinstance(value, dict) and all(_is_time(value.get(name)) for name in ("start", "end"))


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def rows(entries: list[Entry]) -> Iterator[dict[str, Any]]:
    """Yield each entry as a row of a table: time, environment, model and time range, then the figures."""
    for entry in entries:
        window = entry["window"] or {}
        yield {
            "written": entry["written"],
            "environment": entry["environment"],
            "model": entry["model"],
            "start": window.get("start"),
            "end": window.get("end"),
            **entry["figures"],
        }
