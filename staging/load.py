"""Load: bring a dataset to S3, uploading only what changed and deleting only what was written here."""

import base64
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from botocore.client import BaseClient
from tqdm import tqdm

from staging import recordio
from staging.checksum import file_md5
from staging.errors import StagingError
from staging.manifest import MANIFEST, Manifest, Split, Stored, read_json
from staging.transform import OTHERS, SPLITS, Dataset

PENDING = "manifest.pending.json"  # keys that an unfinished run may have written
THREADS = 8  # below botocore's default pool of 10 connections
DELETE_BATCH = 1000  # S3's limit
T = TypeVar("T")
TYPES = {".png": "image/png", ".lst": "text/tab-separated-values", recordio.SUFFIX: recordio.CONTENT_TYPE}


class DeleteError(StagingError):
    """S3 did not delete what it was asked to."""


def load(dataset: Dataset, *, client: BaseClient, bucket: str, source: str, source_md5: str) -> Manifest:
    """Make the bucket hold exactly this dataset, beside whatever else is there.

    While anything changes there is no `manifest.json`, so nobody reads a half of it; a run that was cut off
    is completed by the next.

    Parameters
    ----------
    source, source_md5
        The line that says which data this is, and the archive's checksum, for the manifest.

    Raises
    ------
    DeleteError
        S3 refused to delete an outdated image.
    """
    manifest = _describe(dataset, source, source_md5)
    wanted = manifest["objects"]
    before = read_json(client, bucket, MANIFEST, dict) or {}
    pending = read_json(client, bucket, PENDING, list)
    listing = _list(client, bucket)
    written = {*before.get("objects", ()), *(pending or ())}
    changed = _changed(client, bucket, wanted, listing)
    outdated = sorted((written - set(wanted)) & set(listing))
    place = f"{len(wanted)} objects in s3://{bucket}"
    if manifest == before and pending is None and not changed and not outdated:
        print(f"{place}: nothing changed")
        return manifest
    _put_json(client, bucket, PENDING, sorted(written | set(wanted)))
    client.delete_object(Bucket=bucket, Key=MANIFEST)
    files = dataset.files()
    upload = partial(_put_file, client, bucket, files, wanted)
    _in_parallel(upload, changed, name="uploading")
    _delete(client, bucket, outdated)
    _put_json(client, bucket, MANIFEST, manifest)
    client.delete_object(Bucket=bucket, Key=PENDING)
    print(f"{place}: {len(changed)} uploaded, {len(outdated)} deleted")
    return manifest


def _describe(dataset: Dataset, source: str, source_md5: str) -> Manifest:
    return Manifest(
        source=source,
        source_md5=source_md5,
        classes=list(dataset.classes),
        seed=dataset.seed,
        format=dataset.data_format,
        splits={split: _count(dataset, split) for split in dataset.splits},
        objects={key: Stored(size=path.stat().st_size, md5=file_md5(path)) for key, path in dataset.files().items()},
    )


def _count(dataset: Dataset, split: str) -> Split:
    numbers = Counter(picture.number for picture in dataset.splits[split])
    per_class = {name: numbers[number] for number, name in enumerate(dataset.classes)}
    return Split(count=numbers.total(), per_class=per_class)


def _list(client: BaseClient, bucket: str) -> dict[str, Mapping[str, Any]]:
    """What lies where staging writes: the slash keeps `test.lst` out of `test/`."""
    pages = client.get_paginator("list_objects_v2")
    prefixes = (*(f"{split}/" for split in (*SPLITS, OTHERS)), *(f"{split}.lst" for split in SPLITS))
    return {
        stored["Key"]: stored
        for prefix in prefixes
        for page in pages.paginate(Bucket=bucket, Prefix=prefix)
        for stored in page.get("Contents", ())
    }


def _changed(
    client: BaseClient, bucket: str, wanted: Mapping[str, Stored], listing: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """The keys under which S3 does not hold the wanted bytes."""

    def is_there(key: str) -> bool:
        found, stored = listing.get(key), wanted[key]
        if not found or found["Size"] != stored["size"]:
            return False
        if found["ETag"].strip('"') == stored["md5"]:
            return True
        # an ETag is no MD5 where the bucket encrypts with a KMS key: there the object's metadata has it
        kept: str | None = client.head_object(Bucket=bucket, Key=key)["Metadata"].get("md5")
        return kept == stored["md5"]

    keys = list(wanted)
    there = _in_parallel(is_there, keys, name="comparing")
    return [key for key, same in zip(keys, there, strict=True) if not same]


def _put_file(
    client: BaseClient, bucket: str, files: Mapping[str, Path], wanted: Mapping[str, Stored], key: str
) -> None:
    md5 = wanted[key]["md5"]
    client.put_object(
        Bucket=bucket,
        Key=key,
        Body=files[key].read_bytes(),
        ContentType=TYPES[files[key].suffix],
        ContentMD5=base64.b64encode(bytes.fromhex(md5)).decode("ascii"),
        Metadata={"md5": md5},
    )


def _put_json(client: BaseClient, bucket: str, key: str, content: object) -> None:
    body = json.dumps(content, indent=1).encode("ascii")
    client.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")


def _delete(client: BaseClient, bucket: str, keys: Sequence[str]) -> None:
    for start in range(0, len(keys), DELETE_BATCH):
        batch = [{"Key": key} for key in keys[start : start + DELETE_BATCH]]
        answer = client.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
        if errors := answer.get("Errors"):
            first = errors[0]
            raise DeleteError(f"s3://{bucket}/{first['Key']} could not be deleted: {first.get('Message')}")


def _in_parallel(work: Callable[[str], T], keys: Sequence[str], *, name: str) -> list[T]:
    """Each key's result, in order; the first error ends it, and what has not begun is left."""
    pool = ThreadPoolExecutor(THREADS)
    try:
        futures = [pool.submit(work, key) for key in keys]
        for future in tqdm(as_completed(futures), total=len(keys), desc=name, unit="", disable=None):
            future.result()
        return [future.result() for future in futures]
    finally:
        pool.shutdown(cancel_futures=True)
