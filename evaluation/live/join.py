"""Join labels to captured predictions."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from common.inference_ids import DIGITS
from evaluation.capture_table import Prediction
from evaluation.live.labels import MAX_MESSAGES, Label, shown

WORKFLOW_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)  # inference ID of a request about one S3 object version


@dataclass(frozen=True)
class LabelledImage:
    """A captured prediction with its label.

    Attributes
    ----------
    label : number of the true class; if the image shows none of the classes, the number of classes
    inclusion_probability : probability that the image was selected for review; None if it is not known
    audit_rate : rate of the audit sample that contains the image; None if no audit sample contains the image
    """

    prediction: Prediction
    label: int
    inclusion_probability: float | None
    audit_rate: float | None


@dataclass(frozen=True)
class Joined:
    """Labelled images, and the numbers of labels that are not used.

    Attributes
    ----------
    unmatched : number of labels without a captured image
    contradictions : number of images that are left out, because they have different labels
    messages : messages about the first of these labels and images
    """

    images: list[LabelledImage]
    unmatched: int
    contradictions: int
    messages: list[str]


def join(predictions: Iterable[Prediction], labels: Sequence[Label], classes: Sequence[str]) -> Joined:
    """Find the labels of each prediction.

    A label that contains an inference ID belongs to the record with this ID. A label that contains a key without a
    version belongs to the records of all versions of the object.
    """
    by_name: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        by_name[str(label.record_id or label.digits)].append(label)
    numbers = {name: number for number, name in enumerate(classes)}
    images: list[LabelledImage] = []
    contradictions: list[str] = []
    matched: set[int] = set()
    for prediction in predictions:
        found = [*by_name.get(prediction.id, ()), *by_name.get(_digits(prediction.id), ())]
        matched.update(map(id, found))
        if len({label.name for label in found}) > 1:
            contradictions.append(_contradiction(prediction.id, found))
        elif found:
            probabilities = [each.inclusion_probability for each in found if each.inclusion_probability]
            rates = [each.audit_rate for each in found if each.audit_rate]
            number, highest = numbers.get(found[0].name, len(classes)), max(probabilities, default=None)
            images.append(LabelledImage(prediction, number, highest, max(rates, default=None)))
    unmatched = [
        f"{label.source}: no captured image {shown(label.image)}" for label in labels if id(label) not in matched
    ]
    return Joined(
        images, len(unmatched), len(contradictions), [*contradictions[:MAX_MESSAGES], *unmatched[:MAX_MESSAGES]]
    )


def _digits(record_id: str) -> str:
    """Return the part of a record's ID that depends only on the object's key; empty if the ID has another format."""
    return record_id[:DIGITS] if WORKFLOW_ID.fullmatch(record_id) else ""


def _contradiction(record_id: str, labels: Sequence[Label]) -> str:
    given = ", ".join(f"{label.name} ({label.source})" for label in labels[:3])
    return f"{shown(record_id)} has contradicting labels: {given}"
