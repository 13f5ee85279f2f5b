"""Select captured images for review, and store with each image the probability that it was selected.

All low-confidence images are selected. In addition, an audit sample is selected from all images: each image is part of
the audit sample with the same probability, the audit rate, independently of all other images. This is Bernoulli
sampling: Särndal, Swensson and Wretman, "Model Assisted Survey Sampling" (1992), section 3.2. Without the audit sample,
people would review only difficult images, and nobody would notice confident mistakes.

A hash of the image's ID replaces a random number. Repeated runs with the same audit rate therefore select the same
images. If runs have different audit rates, the images of the lower rate are also selected at the higher rate, so the
probability that at least one of the runs selects an image is the highest of the rates.
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
# Minimum expected size of the audit sample. With 100 images and an accuracy of 90 %, the 95 % Wilson interval is 12
# percentage points wide.
MIN_AUDIT = 100
BATCH = 4 * THREADS  # maximum number of images in memory at the same time

Outcome = Literal["new", "known", "hidden"]


@dataclass(frozen=True)
class Selection:
    """The result of a selection.

    Attributes
    ----------
    low : number of records with a confidence below the threshold
    high : number of all other records
    malformed : number of captured lines that cannot be read
    audit_rate : probability that an image is part of the audit sample
    outcomes : number of selected records by outcome: `new` (added to the review), `known` (already in the review) or
        `hidden` (not added, because the record has no valid image to show)
    """

    low: int
    high: int
    malformed: int
    audit_rate: float
    outcomes: Mapping[Outcome, int]


@dataclass(frozen=True)
class Rules:
    """The rules that decide whether a record is selected.

    Attributes
    ----------
    model : version of the model that classified the images
    threshold : confidence below which an image is a low-confidence image
    audit_rate : probability that an image is part of the audit sample
    """

    model: str
    threshold: float
    audit_rate: float

    def reasons(self, record: Record) -> list[str]:
        """Return the reasons for which a record is selected, or an empty list if the record is not selected."""
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
    """Return a number between 0 and 1 that is computed from a hash of an ID.

    The numbers of different IDs are distributed like independent uniform random numbers.
    """
    return int(sha256(f"audit:{record_id}".encode("utf-8", "surrogatepass")).hexdigest()[:16], 16) / 2**64


def audit_rate(high: int, requested: float = AUDIT_RATE) -> float:
    """Return the requested audit rate, or a higher rate if the requested rate would select too few images.

    The returned rate selects at least `MIN_AUDIT` of `high` images on average, or all if there are fewer.

    Parameters
    ----------
    high : number of images that are not low-confidence images

    Examples
    --------
    >>> audit_rate(10_000), audit_rate(1000), audit_rate(50)
    (0.02, 0.1, 1.0)
    """
    return min(1.0, max(requested, MIN_AUDIT / high)) if high else requested


def select(
    stream: Callable[[], Iterator[Record | MalformedLine]],
    store: ReviewStore,
    *,
    model: str,
    threshold: float,
    requested_rate: float = AUDIT_RATE,
) -> Selection:
    """Select low-confidence images and an audit sample from captured records, and add them to the review.

    The records are read twice: once to count them, because the audit rate depends on their number, and once to select
    from them. They are not kept between the two passes, because they may not fit into memory.

    Parameters
    ----------
    stream : function that returns a new iterator over the captured records of one model in a time range
    model, threshold : see `Rules`
    requested_rate : requested audit rate; a higher rate is used if this rate would select too few images
    """
    counts = Counter(
        "malformed" if isinstance(each, MalformedLine) else "low" if each.confidence < threshold else "high"
        for each in stream()
    )
    rules = Rules(model, threshold, audit_rate(counts["high"], requested_rate))
    selected = (each for each in stream() if isinstance(each, Record) and rules.reasons(each))
    known = {name for name, _ in store.names(store.selected)}
    outcomes: Counter[Outcome] = Counter()
    with ThreadPoolExecutor(THREADS) as pool:
        while batch := list(islice(selected, BATCH)):
            outcomes.update(pool.map(lambda record: add(rules.entry(record), record.image, store, known), batch))
    return Selection(counts["low"], counts["high"], counts["malformed"], rules.audit_rate, outcomes)


def add(entry: Mapping[str, Any], image: bytes | None, store: ReviewStore, known: Collection[str]) -> Outcome:
    """Add an image and its entry to the review, or update the entry if the image already has an entry.

    The image is written before the entry, so that every entry has an image.

    Parameters
    ----------
    entry : the review entry, see `Rules.entry`
    image : content of the image file; None if the request was captured without an image
    known : object names of the images that had an entry when the selection started
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
            pass  # another selection has written this entry meanwhile
    update(f"{store.selected}{name}{SUFFIX}", entry, store)
    return "known"


def update(key: str, entry: Mapping[str, Any], store: ReviewStore) -> None:
    """Merge an entry into the stored entry of the same image; retry if the stored entry changes meanwhile."""
    while True:
        try:
            stored = store.get(key)
        except EntryError:  # the stored entry was deleted meanwhile
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
    """Return the stored entry with the reasons of both entries and the higher of their probabilities.

    Return None if this does not change the stored entry.
    """
    try:
        old = dict(json.loads(stored))
        reasons = [*old["reasons"], *(reason for reason in entry["reasons"] if reason not in old["reasons"])]
        names = ("inclusion_probability", "audit_rate")
        highest = {name: max(old.get(name) or 0.0, entry[name] or 0.0) or None for name in names}
    except (ValueError, TypeError, KeyError):  # the stored object is not a valid entry: replace it
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
        yield f"selected records without a valid image, not added to the review: {selection.outcomes['hidden']}"
