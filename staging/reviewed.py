"""Add reviewed images of live traffic, with the labels that people gave them, to the staged images.

The images of the source are the images of the archive or folder that `make stage` read.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from staging.images import SIDE, SPLITS, Images, Selection, digest, fraction, make_images
from staging.manifest import ReviewedImages, SplitSize
from training.container.classifier.file_names import LIVE
from training.container.classifier.images import FORMATS, ImageError, decode_image

# Fraction of the reviewed images that is added to the validation split, which the quality gate uses; all other reviewed
# images are added to the training split
VALIDATION_FRACTION = 0.25


@dataclass(frozen=True)
class ReviewedImage:
    """An image of live traffic and the class that a person gave it.

    Attributes
    ----------
    label : name of the class
    body : content of the image file; None if the file no longer exists
    """

    label: str
    body: bytes | None


def add_reviewed(selection: Selection, reviewed: Iterable[ReviewedImage]) -> tuple[Selection, Counter[str]]:
    """Add reviewed images to the training and the validation split; leave the test split unchanged.

    A hash of an image's pixels decides its split, so the image is in the same split after each `make retrain`.

    Returns
    -------
    Selection
        The images of `selection` and the added images; the field `reviewed` is None if no image was added.
    Counter
        The number of reviewed images that were left out, by reason. An image is left out if it no longer exists, cannot
        be decoded, has a label that is not among the classes, is a copy of another reviewed image or of an image of the
        source (in any split), or has been labelled with two classes.
    """
    left_out: Counter[str] = Counter()
    staged = {digest(pixels) for images in selection.splits.values() for pixels in images.pixels}
    found = _decode_new(reviewed, selection.classes, staged, left_out)
    chosen: defaultdict[str, list[str]] = defaultdict(list)
    for key, copies in sorted(found.items()):
        if len({label for label, _ in copies}) > 1:
            left_out["labelled with two classes"] += len(copies)
            continue
        left_out["copies of another reviewed image"] += len(copies) - 1
        is_held_out = fraction(f"live:{selection.seed}", key) < VALIDATION_FRACTION
        chosen["validation" if is_held_out else "train"].append(key)
    added = {
        split: make_images(
            [f"{LIVE}{key[:16]}.png" for key in chosen[split]],
            [found[key][0][0] for key in chosen[split]],
            [found[key][0][1] for key in chosen[split]],
        )
        for split in SPLITS
        if split in chosen
    }
    splits = {split: images + added[split] if split in added else images for split, images in selection.splits.items()}
    return replace(selection, splits=splits, reviewed=_describe(added, selection)), +left_out


def _decode_new(
    reviewed: Iterable[ReviewedImage], classes: Sequence[str], staged: Set[str], left_out: Counter[str]
) -> dict[str, list[tuple[int, NDArray[np.uint8]]]]:
    """Return class numbers and pixels of the usable images, by digest; count the other images by reason in `left_out`.

    Parameters
    ----------
    staged : digests of the images of the source
    """
    found: defaultdict[str, list[tuple[int, NDArray[np.uint8]]]] = defaultdict(list)
    for image in reviewed:
        if image.label not in classes:
            left_out[f"labelled {image.label}, which is not among the classes"] += 1
        elif image.body is None:
            left_out["no longer in the bucket"] += 1
        elif (pixels := _decode(image.body)) is None:
            left_out["not readable"] += 1
        elif (key := digest(pixels)) in staged:
            left_out["among the images of the source"] += 1
        else:
            found[key].append((classes.index(image.label), pixels))
    return found


def _decode(body: bytes) -> NDArray[np.uint8] | None:
    try:
        return decode_image(body, FORMATS, SIDE)
    except ImageError:
        return None


def _describe(added: dict[str, Images], selection: Selection) -> ReviewedImages | None:
    if not added:
        return None
    hashed = hashlib.sha256()
    sizes = {}
    for split, images in added.items():
        counts = Counter(images.labels.tolist())
        per_class = {name: counts[number] for number, name in enumerate(selection.classes)}
        sizes[split] = SplitSize(count=len(images), per_class=per_class)
        for pixels, label in zip(images.pixels, images.labels, strict=True):
            hashed.update(f"{digest(pixels)}:{selection.classes[int(label)]}\n".encode())
    return ReviewedImages(splits=sizes, fingerprint=hashed.hexdigest())
