"""The history in S3: results are appended under new keys and read in order."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from common.times import Window
from evaluation.history import History, rows
from tests.unit.staging.fakes import FakeS3

NOW = datetime(2026, 3, 8, 12, 0, 0, 123, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(hours=1), NOW)


def make_history(s3: FakeS3) -> History:
    """Return the history of the environment `dev` in a bucket."""
    return History("b", "history", "dev", s3)


def test_an_appended_entry_is_read_unchanged() -> None:
    # GIVEN
    s3 = FakeS3()
    history = make_history(s3)

    # WHEN
    key = history.append("live", {"accuracy": 0.9}, model="v3", window=WINDOW, now=NOW)

    # THEN
    assert re.fullmatch(r"history/live/2026/03/08/20260308T120000000123-[0-9a-f]{8}\.json", key)
    assert history.read("live") == [
        {
            "kind": "live",
            "written": NOW.isoformat(),
            "environment": "dev",
            "model": "v3",
            "window": WINDOW.to_json(),
            "figures": {"accuracy": 0.9},
        }
    ]
    assert history.read("monitoring") == []


def test_simultaneous_writers_do_not_overwrite_each_other() -> None:
    # GIVEN 40 entries with the same time
    history = make_history(FakeS3())

    # WHEN
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: history.append("run", {"n": number}, model=None, now=NOW), range(40)))

    # THEN
    assert sorted(entry["figures"]["n"] for entry in history.read("run")) == list(range(40))


def test_an_existing_entry_is_not_replaced_if_the_random_key_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a second entry with the same time, for which the first random digits are the same too
    history = make_history(FakeS3())
    digits = iter(["00000000", "00000000", "00000001"])
    monkeypatch.setattr("evaluation.history.secrets.token_hex", lambda size: next(digits))

    # WHEN
    for number in (1, 2):
        history.append("run", {"n": number}, model=None, now=NOW)

    # THEN
    assert [entry["figures"]["n"] for entry in history.read("run")] == [1, 2]


def test_entries_are_read_in_order_of_time_and_only_since_a_start_time() -> None:
    # GIVEN
    history = make_history(FakeS3())
    for days in (3, 1, 2):
        history.append("drift", {"days": days}, model="v1", now=NOW - timedelta(days=days))

    # WHEN / THEN
    assert [entry["figures"]["days"] for entry in history.read("drift")] == [3, 2, 1]
    assert [entry["figures"]["days"] for entry in history.read("drift", NOW - timedelta(days=2))] == [2, 1]


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"{}", b"\xff", b"[" * 100_000],
    ids=["truncated", "list", "empty object", "not text", "nested"],
)
def test_objects_that_are_not_entries_are_ignored(body: bytes) -> None:
    # GIVEN
    s3 = FakeS3()
    history = make_history(s3)
    history.append("live", {}, model="v1", now=NOW)
    s3.put_object(Bucket="b", Key="history/live/2026/03/08/0.json", Body=body)

    # WHEN / THEN
    assert len(history.read("live")) == 1


@pytest.mark.parametrize(
    "invalid_field",
    [
        {"written": 5},
        {"written": "yesterday"},
        {"written": "2026-03-08T12:00:00"},
        {"kind": []},
        {"model": 7},
        {"window": {}},
        {"window": "last week"},
        {"figures": None},
    ],
    ids=str,
)
def test_entries_with_an_invalid_field_are_ignored(invalid_field: dict[str, object]) -> None:
    # GIVEN
    s3 = FakeS3()
    history = make_history(s3)
    key = history.append("live", {}, model="v1", window=WINDOW, now=NOW)
    s3.put_object(Bucket="b", Key=f"{key}.json", Body=json.dumps(history.read("live")[0] | invalid_field).encode())

    # WHEN / THEN
    assert len(history.read("live")) == 1


def test_an_entry_that_is_deleted_after_it_was_listed_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN two listed entries, of which one no longer exists
    s3 = FakeS3()
    history = make_history(s3)
    keys = [history.append("live", {}, model="v1", now=NOW) for _ in range(2)]
    monkeypatch.setattr(history.__class__, "_keys", lambda *_: keys)
    del s3.objects[keys[0]]

    # WHEN / THEN
    assert len(history.read("live")) == 1


def test_entries_are_flattened_to_rows_of_a_table() -> None:
    # GIVEN
    history = make_history(FakeS3())
    history.append("live", {"accuracy": 0.9}, model="v3", window=WINDOW, now=NOW)
    history.append("live", {"accuracy": 0.8}, model=None, now=NOW + timedelta(hours=1))

    # WHEN
    first, second = rows(history.read("live"))

    # THEN
    assert (first["model"], first["end"], first["accuracy"]) == ("v3", NOW.isoformat(), 0.9)
    assert (second["model"], second["end"], second["accuracy"]) == (None, None, 0.8)
    json.dumps([first, second])
