"""Find and read the images of live traffic that people labelled.

A label names the ID of a captured record, or a key. Its image is the copy that the review made, or the object version.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, NamedTuple

from common.inference_ids import DIGITS, inference_id, version_digits
from common.s3 import THREADS, read_if_exists
from common.terminal import counted
from evaluation.live.labels import Label, LabelSet
from evaluation.review.entries import ReviewStore
from staging.reviewed import ReviewedImage
from training.container.classifier.captured_records import object_name

BATCH = 64  # images in memory at the same time


class Location(NamedTuple):
    """Where an image is: a key, and a version or None for the latest one."""

    key: str
    version: str | None = None


@dataclass(frozen=True)
class ImageFinder:
    """Finds the images that labels name.

    Attributes
    ----------
    store : where the review's copies are
    prefixes : key prefixes of photographs, without slashes
    """

    store: ReviewStore
    prefixes: Sequence[str]
    s3: Any = field(repr=False)

    def find(self, label: Label) -> list[Location]:
        """Return the location of a label's image; a label of a key without a version names all its versions."""
        if label.record_id is None:
            return self._versions_by_key.get(str(label.digits), [])
        name, version = object_name(label.record_id), label.record_id[DIGITS:]
        found = self._selected.get(name) or self._copies.get(version) or self._versions.get(label.record_id)
        return [found] if found else []

    @cached_property
    def _selected(self) -> dict[str, Location]:
        """The images that were selected for review, by the names of their entries."""
        return {name: Location(f"{self.store.selected}{name}") for name, _ in self.store.names(self.store.selected)}

    @cached_property
    def _copies(self) -> dict[str, Location]:
        """The copies that the state machine made, by the digits of the version."""
        prefix = self.store.low_confidence
        names = (name for name, _ in self.store.names(prefix))
        return {version_digits(name.rpartition("/")[2]): Location(f"{prefix}{name}") for name in names}

    @cached_property
    def _versions(self) -> dict[str, Location]:
        """All versions of photographs, by the IDs of their requests; listed only if a label needs it."""
        pages = self.s3.get_paginator("list_object_versions")
        return {
            inference_id(each["Key"], each["VersionId"]): Location(each["Key"], each["VersionId"])
            for prefix in self.prefixes
            for page in pages.paginate(Bucket=self.store.bucket, Prefix=f"{prefix}/")
            for each in page.get("Versions", ())
        }

    @cached_property
    def _versions_by_key(self) -> Mapping[str, list[Location]]:
        found = defaultdict(list)
        for record_id, location in self._versions.items():
            found[record_id[:DIGITS]].append(location)
        return found


def read_images(labels: Sequence[Label], finder: ImageFinder) -> Iterator[ReviewedImage]:
    """Yield each label with its image, a batch in memory at a time; an image that is not found has no content."""
    located: list[tuple[str, Location | None]] = []
    for label in labels:
        located += [(label.name, location) for location in finder.find(label)] or [(label.name, None)]
    read = partial(_read_image, finder.store.bucket, s3=finder.s3)
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(located), BATCH):
            yield from pool.map(lambda each: read(*each), located[start : start + BATCH])


def _read_image(bucket: str, label: str, location: Location | None, *, s3: Any) -> ReviewedImage:
    if location is None:
        return ReviewedImage(label, None)
    body = read_if_exists(bucket, location.key, version=location.version, s3=s3)  # None if its retention has ended
    return ReviewedImage(label, body)


def left_out(labels: LabelSet) -> Iterator[str]:
    """Yield a line for each kind of label that cannot be used, with the first of them."""
    for count, kind, reason in (
        (labels.malformed, "malformed", "they cannot be read"),
        (labels.unknown_classes, "unknown", "they name other classes"),
    ):
        if count:
            yield f"{counted(count, 'label')} left out, because {reason}; the first is {labels.messages[kind][0]}"
