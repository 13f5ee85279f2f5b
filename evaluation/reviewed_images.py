"""Find and read the images of live traffic that people labelled.

A label contains either the ID of a captured record or an S3 key. The image is read from the copy that the review made
or, if there is no copy, from the object version.
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

BATCH = 64  # maximum number of images in memory at the same time


class Location(NamedTuple):
    """The S3 key and version of an image; the version is None for the latest version."""

    key: str
    version: str | None = None


@dataclass(frozen=True)
class ImageFinder:
    """Finds the images to which labels belong.

    Attributes
    ----------
    store : location of the copies that the review made
    prefixes : key prefixes of photographs, without slashes
    s3 : S3 client
    """

    store: ReviewStore
    prefixes: Sequence[str]
    s3: Any = field(repr=False)

    def find(self, label: Label) -> list[Location]:
        """Return the locations of a label's images, or an empty list if there are none.

        A label that contains a key without a version belongs to all versions of the object.
        """
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
        """All versions of photographs, by the inference IDs of their requests; listed only if a label needs them."""
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
    """Yield each label with its image; the content is None if the image is not found.

    At most `BATCH` images are in memory at the same time.
    """
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
    body = read_if_exists(bucket, location.key, version=location.version, s3=s3)  # None if the object was deleted
    return ReviewedImage(label, body)


def left_out(labels: LabelSet) -> Iterator[str]:
    """Yield a line for each reason why labels cannot be used: the number of these labels, and the first of them."""
    for count, kind, reason in (
        (labels.malformed, "malformed", "cannot be read"),
        (labels.unknown_classes, "unknown", "of an unknown class"),
    ):
        if count:
            yield f"left out: {counted(count, 'label')} ({reason}); the first is {labels.messages[kind][0]}"
