"""The test images that are staged, with their labels."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import staging
from common.errors import OperatorError
from common.stack import Stack

LISTING = "test.lst"
FOLDER = "test/"


class StagedMismatchError(OperatorError):
    """What is staged is not what the stack expects, or contradicts itself."""


@dataclass(frozen=True)
class Staged:
    """The test images.

    Attributes
    ----------
    source : the line that says which data this is
    classes : names; a class's number is its position
    labels : class number by key in the bucket
    md5s : MD5 in hexadecimal by key
    fingerprint : names exactly these images with these labels
    """

    source: str
    classes: tuple[str, ...]
    labels: Mapping[str, int]
    md5s: Mapping[str, str]
    fingerprint: str


def read_staged(client: Any, stack: Stack) -> Staged:
    """Read the manifest and the test images' labels; a file's name is never taken for a label.

    Raises
    ------
    staging.ManifestMissingError
        Nothing is staged.
    StagedMismatchError
        Other classes are staged than the stack has, or the listing is not the manifest's.
    """
    manifest = staging.read_manifest(client, stack.bucket)
    again = f"run `make stage ENV={stack.environment}`"
    if tuple(manifest["classes"]) != stack.classes:
        raise StagedMismatchError(
            f"staged are {', '.join(manifest['classes'])}, the stack has {', '.join(stack.classes)}: {again}"
        )
    text = client.get_object(Bucket=stack.bucket, Key=LISTING)["Body"].read()
    objects = manifest["objects"]
    if hashlib.md5(text, usedforsecurity=False).hexdigest() != objects[LISTING]["md5"]:
        raise StagedMismatchError(f"s3://{stack.bucket}/{LISTING} is not the manifest's: {again}")
    labels = parse_listing(text.decode("utf-8"))
    md5s = {key: stored["md5"] for key, stored in objects.items() if key.startswith(FOLDER)}
    if labels.keys() != md5s.keys() or not set(labels.values()) <= set(range(len(stack.classes))):
        raise StagedMismatchError(f"s3://{stack.bucket}/{LISTING} names other images or classes: {again}")
    digest = hashlib.sha256(json.dumps([sorted(labels.items()), sorted(md5s.items())]).encode())
    return Staged(manifest["source"], stack.classes, labels, md5s, digest.hexdigest())


def parse_listing(text: str) -> dict[str, int]:
    """Class numbers by key, of lines that read `row<TAB>class<TAB>path below the channel's prefix`."""
    rows = (line.split("\t") for line in text.splitlines() if line)
    return {FOLDER + path: int(number) for _, number, path in rows}
