"""Review entries: JSON objects in S3, each about one image to review, which the state machine and `make select` write.

An entry is stored below the review prefix. Its image has the same key without `.json`:

- `review/selected/<id>.json`: an image that was selected from captured requests;
- `review/THRESHOLD_CONFIDENCE_NOT_MET/<driver>/<version>.json`: a driver's photograph whose execution failed.

Entries below the names of other errors are not reviewed, because there is no prediction with which a label could be
compared.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from common.aws import error_code
from common.inference_ids import DIGITS, inference_id, version_digits
from common.probabilities import is_probability
from common.s3 import MISSING, list_objects
from training.container.classifier.captured_records import object_name

SUFFIX = ".json"
SELECTED = "selected/"  # folder below the review prefix
FILTER_REASON = re.compile(r"(.+?) has confidence (\d\.\d+) for ")  # lambdas/filter/handler.py
WORKFLOW_ID = re.compile(r"[0-9a-f]{64}")


class Prediction(NamedTuple):
    """The class that the model predicted, and its confidence."""

    class_name: str
    confidence: float


class EntryError(Exception):
    """An object below the review prefix is missing or is not an entry."""


@dataclass(frozen=True)
class ReviewStore:
    """The location of review entries and answers in S3.

    Attributes
    ----------
    bucket : name of the S3 bucket
    review_prefix, labels_prefix : key prefixes of entries and of labels, without slashes
    s3 : S3 client
    classes : class names in the order of the probabilities, to name the predicted class of an entry
    """

    bucket: str
    review_prefix: str
    labels_prefix: str
    s3: Any = field(repr=False)
    classes: tuple[str, ...] = ()

    @property
    def selected(self) -> str:
        """The key prefix of selected images and their entries."""
        return f"{self.review_prefix}/{SELECTED}"

    @property
    def low_confidence(self) -> str:
        """The key prefix of photographs with a confidence below the threshold, and of their entries."""
        return f"{self.review_prefix}/THRESHOLD_CONFIDENCE_NOT_MET/"

    @property
    def answers(self) -> str:
        """The key prefix of answers."""
        return f"{self.labels_prefix}/answers/"

    def answer_key(self, name: str) -> str:
        """Return the key of the answer about an image."""
        return f"{self.answers}{name}{SUFFIX}"

    def get(self, key: str) -> Mapping[str, Any]:
        """Return the response of GetObject.

        Raises
        ------
        EntryError
            The object does not exist.
        """
        try:
            response: Mapping[str, Any] = self.s3.get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error_code(error) not in MISSING:
                raise
            raise EntryError(f"s3://{self.bucket}/{key} does not exist") from error
        return response

    def names(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """Yield the name and the time of the last modification of each JSON object below a key prefix."""
        for stored in list_objects(self.bucket, prefix, s3=self.s3):
            if stored["Key"].endswith(SUFFIX):
                yield stored["Key"].removeprefix(prefix).removesuffix(SUFFIX), stored["LastModified"]


@dataclass(frozen=True)
class Entry:
    """One image to review.

    Attributes
    ----------
    key : key of the entry's object
    id : ID of the captured record
    reasons : reasons for the review, such as `low_confidence`
    prediction : the model's prediction; None if the entry has no valid prediction of the store's classes
    """

    key: str
    id: str
    reasons: tuple[str, ...]
    prediction: Prediction | None

    @property
    def name(self) -> str:
        """The ID as object keys contain it."""
        return object_name(self.id)

    @property
    def image_key(self) -> str:
        """The key of the image."""
        return self.key.removesuffix(SUFFIX)


@dataclass(frozen=True)
class ImageNames:
    """A set of images by object name, in which a photograph is also found by its S3 version alone.

    The key of an entry that the state machine writes contains the photograph's version, but not its ID. S3 version IDs
    are unique, so the keys are enough to decide whether a photograph is in the set, without reading the entries.
    """

    names: set[str] = field(default_factory=set)
    versions: set[str] = field(default_factory=set)

    def add(self, name: str) -> None:
        """Add an image."""
        self.names.add(name)
        if WORKFLOW_ID.fullmatch(name):
            self.versions.add(name[DIGITS:])

    def has_version(self, version: str) -> bool:
        """Return whether an image with this S3 version is in the set."""
        return version_digits(version) in self.versions


def list_entry_keys(store: ReviewStore, answered: ImageNames) -> Iterator[tuple[str, bool]]:
    """Yield the key of each image's entry, and whether the image has an answer.

    An image may have two entries, one from `make select` and one from the state machine. Only the first one is yielded.
    """
    selected = ImageNames()
    for name, _ in store.names(store.selected):
        selected.add(name)
        yield f"{store.selected}{name}{SUFFIX}", name in answered.names
    for name, _ in store.names(store.low_confidence):
        version = name.rpartition("/")[2]
        if not selected.has_version(version):
            yield f"{store.low_confidence}{name}{SUFFIX}", answered.has_version(version)


def read_entry(store: ReviewStore, key: str) -> Entry:
    """Read an entry.

    Raises
    ------
    EntryError
        The object is missing or is not an entry.
    """
    try:
        content = json.loads(store.get(key)["Body"].read())
        if key.startswith(store.selected):
            reasons = tuple(map(str, content["reasons"]))
            return Entry(key, str(content["id"]), reasons, _highest(content.get("probabilities"), store.classes))
        record_id = inference_id(str(content["key"]), str(content["version"]))
        return Entry(key, record_id, ("low_confidence",), _from_reason(str(content["reason"])))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise EntryError(f"s3://{store.bucket}/{key} is not a review entry") from error


def _highest(probabilities: Any, classes: Sequence[str]) -> Prediction | None:
    """Return the class with the highest probability; None if the probabilities are invalid or of other classes."""
    is_valid = isinstance(probabilities, list) and len(probabilities) == len(classes) > 0
    if not is_valid or not all(map(is_probability, probabilities)):
        return None
    confidence = max(probabilities)
    return Prediction(classes[probabilities.index(confidence)], confidence)


def _from_reason(reason: str) -> Prediction | None:
    """Return the prediction in the error message of the function Filter, or None if the message contains none."""
    match = FILTER_REASON.match(reason)
    return Prediction(match[1], float(match[2])) if match else None
