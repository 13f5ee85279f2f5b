"""The staged validation images: the only module of this package that decodes the manifest for the quality gate."""

import hashlib
import json
from typing import Any

from staging import Manifest

VALIDATION = "validation"  # split, and prefix of its objects


def fingerprint(manifest: Manifest) -> str:
    """Return a digest of the validation images and their labels: equal only for the same examples."""
    objects = {key: stored["md5"] for key, stored in manifest["objects"].items() if key.startswith(VALIDATION)}
    return hashlib.sha256(json.dumps(objects, sort_keys=True).encode()).hexdigest()


def classes_md5(manifest: Manifest) -> str:
    """Return a digest of the class names and their order, which are too long for a property in the registry."""
    return hashlib.md5(",".join(manifest["classes"]).encode(), usedforsecurity=False).hexdigest()


def is_recordio(manifest: Manifest) -> bool:
    """Return whether the validation images are packed into RecordIO shards."""
    return manifest["format"] != "images"


def class_count(manifest: Manifest) -> int:
    """Return the number of classes."""
    return len(manifest["classes"])


def read_labels(bucket: str, *, s3: Any) -> dict[str, int]:
    """Return the class number of each validation image, by the image's name, from the staged list."""
    listing = s3.get_object(Bucket=bucket, Key=f"{VALIDATION}.lst")["Body"].read().decode("utf-8")
    return {path: int(number) for _, number, path in (line.split("\t") for line in listing.splitlines())}
