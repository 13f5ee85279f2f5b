"""Captured images are selected for review, each with an inclusion probability."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from evaluation.captures import MalformedLine
from evaluation.review.selection import MIN_AUDIT, Selection, audit_rate, describe, position, select
from tests.unit.evaluation.review.fakes import FakeS3, add_selected, make_store, png
from training.container.classifier.captured_records import Record


def record(record_id: str, confidence: float, image: bytes | None = None) -> Record:
    """Return a captured record; by default, its image is a valid PNG."""
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    return Record(record_id, "event", moment, png() if image is None else image, (confidence, 1 - confidence))


def stream(*records: Record | MalformedLine) -> Callable[[], Iterator[Record | MalformedLine]]:
    """Return a function that returns a new iterator over the records."""
    return lambda: iter(records)


def run(s3: Any, records: Callable[[], Iterator[Record | MalformedLine]], **options: Any) -> Selection:
    """Select images of model v3 with a threshold of 0.7 and a requested audit rate of 0.02."""
    return select(records, make_store(s3), **{"model": "v3", "threshold": 0.7, "requested_rate": 0.02, **options})


def entries(s3: FakeS3) -> dict[str, dict[str, Any]]:
    """Return the stored review entries by object name."""
    stored = {key: body for key, body in s3.objects.items() if key.endswith(".json")}
    return {key.split("/")[-1].removesuffix(".json"): json.loads(body) for key, body in stored.items()}


def test_low_confidence_images_are_selected_with_an_inclusion_probability_of_one() -> None:
    # GIVEN more high-confidence images than the audit sample contains
    s3 = FakeS3()
    high = [record(f"high-{number}", 0.9) for number in range(1000)]

    # WHEN
    selection = run(s3, stream(*high, record("low/1", 0.6), record("limit", 0.7)))

    # THEN
    assert (selection.low, selection.high, selection.audit_rate) == (1, 1001, MIN_AUDIT / 1001)
    is_audit = position("low/1") < selection.audit_rate
    assert entries(s3)["low.1"] == {
        "id": "low/1",
        "reasons": ["low_confidence", *(["audit"] if is_audit else [])],
        "inclusion_probability": 1.0,
        "audit_rate": selection.audit_rate if is_audit else None,
        "model": "v3",
        "time": "2026-03-01T12:00:00+00:00",
        "probabilities": [0.6, 0.4],
        "detail": "threshold 0.7, audit rate 0.0999",
    }
    assert s3.objects["review/selected/low.1"] == png()


def test_audit_sample_contains_the_images_whose_hash_is_below_the_audit_rate() -> None:
    # GIVEN
    s3, names = FakeS3(), [f"high-{number}" for number in range(2000)]

    # WHEN
    selection = run(s3, stream(*(record(name, 0.9) for name in names)))

    # THEN
    assert set(entries(s3)) == {name for name in names if position(name) < 0.05}
    assert {entry["inclusion_probability"] for entry in entries(s3).values()} == {0.05}
    assert {entry["audit_rate"] for entry in entries(s3).values()} == {0.05}
    assert {tuple(entry["reasons"]) for entry in entries(s3).values()} == {("audit",)}
    assert selection.outcomes["new"] == len(entries(s3))


def test_positions_are_uniformly_distributed() -> None:
    # GIVEN
    positions = sorted(position(f"id-{number}") for number in range(10_000))

    # WHEN the Kolmogorov-Smirnov statistic is computed
    distance = max(abs(number - rank / 10_000) for rank, number in enumerate(positions))

    # THEN the statistic is below the critical value for a significance level of 1 %
    assert distance < 1.63 / 100


def test_low_confidence_images_can_be_part_of_the_audit_sample_too() -> None:
    # GIVEN fewer images than the minimum size of the audit sample, so that all images are part of it
    s3 = FakeS3()

    # WHEN
    run(s3, stream(record("low", 0.6), record("high", 0.9)))

    # THEN
    assert entries(s3)["low"]["reasons"] == ["low_confidence", "audit"]
    assert entries(s3)["high"]["inclusion_probability"] == 1.0


def test_second_selection_from_the_same_records_writes_nothing() -> None:
    # GIVEN
    s3, records = FakeS3(), stream(*(record(f"{number}", 0.5 + number / 1000) for number in range(500)))
    first = run(s3, records)
    stored = {key: len(versions) for key, versions in s3.versions.items()}

    # WHEN
    second = run(s3, records)

    # THEN
    assert second.outcomes == {"known": first.outcomes["new"]}
    assert {key: len(versions) for key, versions in s3.versions.items()} == stored


def test_entry_has_the_highest_inclusion_probability_of_all_selections() -> None:
    # GIVEN an image that was selected for the audit sample
    s3, name = FakeS3(), next(f"{number}" for number in range(999) if position(f"{number}") < 0.1)
    others = [record(f"other-{number}", 0.9) for number in range(999)]
    run(s3, stream(*others, record(name, 0.8)))
    assert entries(s3)[name]["inclusion_probability"] == 0.1

    # WHEN images are selected with a threshold above the image's confidence, and then with the first threshold again
    run(s3, stream(*others, record(name, 0.8)), threshold=0.85)
    run(s3, stream(*others, record(name, 0.8)))

    # THEN
    assert entries(s3)[name]["inclusion_probability"] == 1.0
    # the highest rate is that of the second selection, in which only 999 images are at or above the threshold
    assert entries(s3)[name]["audit_rate"] == MIN_AUDIT / 999
    assert entries(s3)[name]["reasons"] == ["audit", "low_confidence"]


def test_drift_example_receives_an_inclusion_probability_when_it_is_selected() -> None:
    # GIVEN an unusual image that the drift job added, which has no inclusion probability
    s3 = FakeS3()
    add_selected(s3, "low", reasons=["drift"], inclusion_probability=None, detail="darkest")

    # WHEN
    selection = run(s3, stream(record("low", 0.6)))

    # THEN
    assert selection.outcomes == {"known": 1}
    assert entries(s3)["low"]["reasons"] == ["drift", "low_confidence"]
    assert (entries(s3)["low"]["inclusion_probability"], entries(s3)["low"]["detail"]) == (1.0, "darkest")


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"reasons": 7}'])
def test_invalid_entry_of_a_selected_image_is_replaced(content: bytes) -> None:
    # GIVEN
    s3 = FakeS3()
    s3.put_object(Bucket="bucket", Key="review/selected/low.json", Body=content)

    # WHEN
    run(s3, stream(record("low", 0.6)))

    # THEN
    assert entries(s3)["low"]["id"] == "low"


def test_selected_records_without_a_valid_image_are_counted_and_not_added() -> None:
    # GIVEN a record without an image, a record with an invalid image, and a malformed line
    s3 = FakeS3()
    without = Record("without", "event", datetime(2026, 3, 1, tzinfo=UTC), None, (0.6, 0.4))
    lines = stream(without, record("broken", 0.6, b"GIF89a"), MalformedLine("file", 1, "not JSON"), record("low", 0.6))

    # WHEN
    selection = run(s3, lines)

    # THEN
    assert set(entries(s3)) == {"low"}
    assert (selection.low, selection.malformed, selection.outcomes) == (3, 1, {"hidden": 2, "new": 1})
    assert list(describe(selection)) == [
        "records: 3, of which 3 are below the threshold",
        "malformed lines, not included: 1",
        "audit sample: each image with probability 0.02",
        "new images to review: 1, selected before: 0",
        "selected records without a valid image, not added to the review: 2",
    ]


def test_image_that_was_classified_twice_is_selected_once() -> None:
    # GIVEN
    s3 = FakeS3()

    # WHEN
    selection = run(s3, stream(record("low", 0.6), record("low", 0.65)))

    # THEN
    assert sum(selection.outcomes.values()) == 2
    assert len(s3.versions["review/selected/low.json"]) == 1


def test_selection_from_no_records_is_empty() -> None:
    # WHEN / THEN
    assert run(FakeS3(), stream()) == Selection(0, 0, 0, 0.02, {})


@pytest.mark.parametrize(("high", "rate"), [(0, 0.02), (1, 1.0), (100, 1.0), (200, 0.5), (5000, 0.02), (10**6, 0.02)])
def test_audit_rate_is_raised_until_it_selects_enough_images(high: int, rate: float) -> None:
    # WHEN / THEN
    assert audit_rate(high) == rate


def test_only_a_few_images_are_in_memory_at_the_same_time() -> None:
    # GIVEN 300 records, and a count of the images that are in memory
    alive = 0

    class Counted(bytes):
        def __new__(cls) -> "Counted":
            nonlocal alive
            alive += 1
            return super().__new__(cls, png())

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    most = 0

    def records() -> Iterator[Record]:
        nonlocal most
        for number in range(300):
            most = max(most, alive)
            yield record(f"{number}", 0.6, Counted())

    class CopyingS3(FakeS3):  # stores a copy, so that the original image can be freed
        def put_object(self, **request: Any) -> dict[str, Any]:
            return super().put_object(**{**request, "Body": bytes(bytearray(request["Body"]))})

    # WHEN
    run(CopyingS3(), records)

    # THEN
    assert most <= 70
