"""Manifests of staged data, for tests."""

from typing import Any

from staging.manifest import Manifest, SplitSize, StoredObject

SPLITS = ("train", "validation", "test")


def make_manifest(**changes: Any) -> Manifest:
    """Return the manifest of a data set with one image of each of two classes in each split.

    Parameters
    ----------
    changes : fields of the manifest that differ
    """
    keys = [key for split in SPLITS for key in (f"{split}/a.png", f"{split}/b.png", f"{split}.lst")]
    content: dict[str, Any] = {
        "source": "CIFAR-100",
        "source_md5": "0" * 32,
        "synthetic": False,
        "classes": ("bicycle", "motorcycle"),
        "seed": 0,
        "format": "images",
        "image_side": 32,
        "splits": {split: SplitSize(count=2, per_class={"bicycle": 1, "motorcycle": 1}) for split in SPLITS},
        "objects": {key: StoredObject(size=1, md5=key) for key in keys},
    }
    return Manifest(**{**content, **changes})
