"""Select captured images for review, each with the probability with which it was selected.

Every low-confidence image is selected. In addition, each image is part of the audit sample with the same probability,
independently of the others: Bernoulli sampling, as in Särndal, Swensson and Wretman, "Model Assisted Survey Sampling"
(1992), section 3.2. Without it nobody would notice confident mistakes, and the reviewed images would only show how the
model does on difficult images. A hash of the ID takes the place of the random number: another run selects the same
images, and the probability that any of several runs selects an image is the highest of theirs.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any, Literal

from common.s3 import THREADS, ConditionError, put_if
from evaluation.captures import MalformedLine
from evaluation.review.entries import SUFFIX, EntryError, ReviewStore
from training.container.classifier.captured_records import Record, object_name
from training.container.classifier.images import ImageError, read_image

AUDIT_RATE = 0.02
MIN_AUDIT = 100  # images: the 95 % Wilson interval of an accuracy of 90 % is then 12 percentage points wide
BATCH = 4 * THREADS  # images in memory at the same time

Outcome = Literal["new", "known", "hidden"]


@dataclass(frozen=True)
class Selection:
    """The result of a selection.

    Attributes
    ----------
    low, high : numbers of records below the threshold, and of all others
    malformed : number of captured lines that cannot be read
    audit_rate : probability of each image to be part of the audit sample
    outcomes : number of selected records that are new in the review, were known in it, or are hidden, because they have
        no image that can be shown
    """

    low: int
    high: int
    malformed: int
    audit_rate: float
    outcomes: Mapping[Outcome, int]


@dataclass(frozen=True)
class Rules:
    """Which records are selected.

    Attributes
    ----------
    model : version of the model
    threshold : images with a lower confidence are low-confidence images
    audit_rate : probability of each image to be part of the audit sample
    """

    model: str
    threshold: float
    audit_rate: float

    def reasons(self, record: Record) -> list[str]:
        """Return why a record is selected; an empty list if it is not."""
        found = {
            "low_confidence": record.confidence < self.threshold,
            "audit": position(record.id) < self.audit_rate,
        }
        return [reason for reason, applies in found.items() if applies]

    def entry(self, record: Record) -> dict[str, Any]:
        """Return the review entry of a selected record."""
        reasons = self.reasons(record)
        return {
            "id": record.id,
            "reasons": reasons,
            "inclusion_probability": 1.0 if "low_confidence" in reasons else self.audit_rate,
            "audit_rate": self.audit_rate if "audit" in reasons else None,
            "model": self.model,
            "time": record.time.isoformat(),
            "probabilities": list(record.probabilities),
            "detail": f"threshold {self.threshold:g}, audit rate {self.audit_rate:.4g}",
        }


def position(record_id: str) -> float:
    """Return the place of an ID between 0 and 1; the IDs' places are distributed like uniform random numbers."""
    return int(sha256(f"audit:{record_id}".encode("utf-8", "surrogatepass")).hexdigest()[:16], 16) / 2**64


def audit_rate(high: int, wanted: float = AUDIT_RATE) -> float:
    """Return the wanted rate, or the higher one that selects MIN_AUDIT of `high` images on average.

    Examples
    --------
    >>> audit_rate(10_000), audit_rate(1000), audit_rate(50)
    (0.02, 0.1, 1.0)
    """
    return min(1.0, max(wanted, MIN_AUDIT / high)) if high else wanted


def select(
    stream: Callable[[], Iterator[Record | MalformedLine]],
    store: ReviewStore,
    *,
    model: str,
    threshold: float,
    wanted_rate: float = AUDIT_RATE,
) -> Selection:
    """Add the low-confidence images and the audit sample of captured records to the review.

    The records are read twice, because the audit rate depends on their number and they do not fit into memory.

    Parameters
    ----------
    stream : returns the records of one model in a time range
    model, threshold : as in `Rules`
    wanted_rate : audit rate, unless it selects too few images
    """
    counts = Counter(
        "malformed" if isinstance(each, MalformedLine) else "low" if each.confidence < threshold else "high"
        for each in stream()
    )
    rules = Rules(model, threshold, audit_rate(counts["high"], wanted_rate))
    selected = (each for each in stream() if isinstance(each, Record) and rules.reasons(each))
    known = {name for name, _ in store.names(store.selected)}
    outcomes: Counter[Outcome] = Counter()
    with ThreadPoolExecutor(THREADS) as pool:
        while batch := list(islice(selected, BATCH)):
            outcomes.update(pool.map(lambda record: add(rules.entry(record), record.image, store, known), batch))
    return Selection(counts["low"], counts["high"], counts["malformed"], rules.audit_rate, outcomes)


def add(entry: Mapping[str, Any], image: bytes | None, store: ReviewStore, known: Collection[str]) -> Outcome:
    """Add an image to the review, or update the entry that it has.

    The image is written first, so that every entry has one.

    Parameters
    ----------
    known : names of images that have an entry
    """
    name = object_name(entry["id"])
    if name not in known:
        try:
            read_image(image or b"")
        except ImageError:
            return "hidden"
        store.s3.put_object(Bucket=store.bucket, Key=f"{store.selected}{name}", Body=image)
        try:
            put_if(store.bucket, f"{store.selected}{name}{SUFFIX}", json.dumps(entry).encode(), s3=store.s3)
            return "new"
        except ConditionError:
            pass  # another selection has added it meanwhile
    update(f"{store.selected}{name}{SUFFIX}", entry, store)
    return "known"


def update(key: str, entry: Mapping[str, Any], store: ReviewStore) -> None:
    """Add reasons to a stored entry, and raise its probabilities, if another selection chose the image too."""
    while True:
        try:
            stored = store.get(key)
        except EntryError:  # it was deleted in this moment
            return
        merged = merge(stored["Body"].read(), entry)
        if merged is None:
            return
        try:
            put_if(store.bucket, key, json.dumps(merged).encode(), etag=stored["ETag"], s3=store.s3)
            return
        except ConditionError:
            continue


def merge(stored: bytes, entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the stored entry with the reasons and the probabilities of both, or None if it has these already."""
    try:
        old = dict(json.loads(stored))
        reasons = [*old["reasons"], *(reason for reason in entry["reasons"] if reason not in old["reasons"])]
        names = ("inclusion_probability", "audit_rate")
        highest = {name: max(old.get(name) or 0.0, entry[name] or 0.0) or None for name in names}
    except (ValueError, TypeError, KeyError):  # not an entry
        return dict(entry)
    new = {**old, "reasons": reasons, **highest}
    return None if new == old else new


def describe(selection: Selection) -> Iterator[str]:
    """Yield the lines that `make select` prints."""
    yield f"records: {selection.low + selection.high}, of which {selection.low} are below the threshold"
    if selection.malformed:
        yield f"malformed lines, not included: {selection.malformed}"
    yield f"audit sample: each image with probability {selection.audit_rate:.3g}"
    yield f"new images to review: {selection.outcomes['new']}, selected before: {selection.outcomes['known']}"
    if selection.outcomes["hidden"]:
        yield f"records without an image that can be shown, not selected: {selection.outcomes['hidden']}"
