"""Load: upload the changed objects of a data set, and delete objects that only an earlier data set contains."""

import base64
import json
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from common.s3 import THREADS, list_objects
from common.terminal import progress_bar
from staging import recordio
from staging.checksum import file_md5
from staging.errors import StagingError
from staging.images import SIDE, SPLITS
from staging.manifest import MANIFEST, PRETRAINING, Manifest, SplitSize, StoredObject, is_training_shard, read_json
from staging.source import Source
from staging.transform import Dataset

PENDING = "manifest.pending.json"  # ID of an unfinished run, and keys that it or earlier runs may have written
SIMULTANEOUS = "another command staged at the same time: run `make stage` again"
DELETE_BATCH = 1000  # maximum keys of a DeleteObjects request
T = TypeVar("T")
CONTENT_TYPES = {".png": "image/png", ".lst": "text/tab-separated-values", recordio.SUFFIX: recordio.CONTENT_TYPE}


def load(dataset: Dataset, *, bucket: str, source: Source, s3: Any) -> Manifest:
    """Upload a data set and write its manifest; leave objects that staging did not write unchanged, except for shards.

    There is no `manifest.json` while objects change, so no other command reads a partial data set. If a run is
    interrupted, the next run completes its work. Shards of other data sets are deleted, because training jobs read all
    shards in their channels.

    Parameters
    ----------
    source : the archive or folder that the data set comes from; the manifest contains its description and MD5

    Raises
    ------
    StagingError
        S3 refused to delete an outdated object, a manifest in the bucket is damaged, or another run changed objects at
        the same time.
    """
    manifest = _describe(dataset, source)
    target = manifest.objects
    before, pending = _read_state(bucket, s3=s3)
    listing = _list(bucket, s3=s3)
    written = _keys(before, pending).union(filter(is_training_shard, listing))
    changed = _changed(bucket, target, listing, s3=s3)
    outdated = sorted((written - set(target)) & set(listing))
    location = f"{len(target)} objects in s3://{bucket}"
    if manifest.to_json() == before and pending is None and not changed and not outdated:
        print(f"{location}: nothing changed")
        return manifest
    # the comparison takes a while, and `written` lacks the keys of a run that has started since
    if _read_state(bucket, s3=s3) != (before, pending):
        raise StagingError(SIMULTANEOUS)
    run = secrets.token_hex(8)
    _start(bucket, run, written | set(target), s3=s3)
    upload = partial(_put_file, bucket, dataset.files(), target, s3=s3)
    _in_parallel(upload, changed, description="uploading")
    _delete(bucket, outdated, s3=s3)
    _check_only_run(bucket, run, written | set(target), s3=s3)
    _put_json(bucket, MANIFEST, manifest.to_json(), s3=s3)
    s3.delete_object(Bucket=bucket, Key=PENDING)
    print(f"{location}: {len(changed)} uploaded, {len(outdated)} deleted")
    if before and before.get("reviewed") and not manifest.reviewed:
        print("the reviewed images are no longer staged: `make retrain` adds them again")
    return manifest


def _read_state(bucket: str, *, s3: Any) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return the content of the manifest and of PENDING; None for an object that does not exist."""
    return read_json(bucket, MANIFEST, dict, s3=s3), read_json(bucket, PENDING, dict, s3=s3)


def _keys(manifest: dict[str, Any] | None, pending: dict[str, Any] | None) -> set[str]:
    """Return the keys in the manifest and in PENDING."""
    return {*(manifest or {}).get("objects", ()), *(pending or {}).get("keys", ())}


def _start(bucket: str, run: str, keys: Collection[str], *, s3: Any) -> None:
    """Store the keys that a run may have written, and delete the manifest."""
    _put_json(bucket, PENDING, {"run": run, "keys": sorted(keys)}, s3=s3)
    s3.delete_object(Bucket=bucket, Key=MANIFEST)


def _check_only_run(bucket: str, run: str, keys: Collection[str], *, s3: Any) -> None:
    """Check that no other run, such as one in another clone, has started since this run started.

    Otherwise, both runs may have written or deleted any of their objects, so the data set of neither run is complete.
    The keys of both runs are stored, so that the next run deletes objects that it does not need.

    Parameters
    ----------
    run : ID of this run
    keys : keys that this run or earlier runs may have written
    """
    manifest, pending = _read_state(bucket, s3=s3)  # there is a manifest if the other run has finished
    if pending and pending.get("run") == run:
        return
    _start(bucket, run, _keys(manifest, pending).union(keys), s3=s3)
    raise StagingError(SIMULTANEOUS)


def _describe(dataset: Dataset, source: Source) -> Manifest:
    files = dataset.files()
    return Manifest(
        source=source.description,
        source_md5=source.md5,
        synthetic=source.synthetic,
        classes=dataset.classes,
        seed=dataset.seed,
        format=dataset.data_format,
        image_side=SIDE,
        splits={split: _size(dataset, split) for split in dataset.splits},
        objects={key: StoredObject(size=path.stat().st_size, md5=file_md5(path)) for key, path in files.items()},
        reviewed=dataset.reviewed,
    )


def _size(dataset: Dataset, split: str) -> SplitSize:
    counts = Counter(image.label for image in dataset.splits[split])
    per_class = {name: counts[number] for number, name in enumerate(dataset.classes)}
    return SplitSize(count=counts.total(), per_class=per_class)


def _list(bucket: str, *, s3: Any) -> dict[str, Mapping[str, Any]]:
    """Return the description of each object below staging's prefixes, by key, as ListObjectsV2 returns it."""
    prefixes = (*(f"{split}/" for split in (*SPLITS, PRETRAINING)), *(f"{split}.lst" for split in SPLITS))
    return {stored["Key"]: stored for prefix in prefixes for stored in list_objects(bucket, prefix, s3=s3)}


def _changed(
    bucket: str, target: Mapping[str, StoredObject], listing: Mapping[str, Mapping[str, Any]], *, s3: Any
) -> list[str]:
    """Return the keys whose object is missing in S3 or differs from the local file."""

    def is_current(key: str) -> bool:
        found, stored = listing.get(key), target[key]
        if not found or found["Size"] != stored.size:
            return False
        if found["ETag"].strip('"') == stored.md5:
            return True
        # with SSE-KMS an ETag is not an MD5, so `_put_file` writes the MD5 to the object's metadata
        md5: str | None = s3.head_object(Bucket=bucket, Key=key)["Metadata"].get("md5")
        return md5 == stored.md5

    keys = list(target)
    current = _in_parallel(is_current, keys, description="comparing")
    return [key for key, same in zip(keys, current, strict=True) if not same]


def _put_file(bucket: str, files: Mapping[str, Path], target: Mapping[str, StoredObject], key: str, *, s3: Any) -> None:
    md5 = target[key].md5
    s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=files[key].read_bytes(),
        ContentType=CONTENT_TYPES[files[key].suffix],
        ContentMD5=base64.b64encode(bytes.fromhex(md5)).decode("ascii"),
        Metadata={"md5": md5},
    )


def _put_json(bucket: str, key: str, content: object, *, s3: Any) -> None:
    body = json.dumps(content, indent=1).encode("ascii")
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")


def _delete(bucket: str, keys: Sequence[str], *, s3: Any) -> None:
    for start in range(0, len(keys), DELETE_BATCH):
        batch = [{"Key": key} for key in keys[start : start + DELETE_BATCH]]
        response = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
        if errors := response.get("Errors"):
            first = errors[0]
            raise StagingError(f"cannot delete s3://{bucket}/{first['Key']}: {first.get('Message')}")


def _in_parallel(work: Callable[[str], T], keys: Sequence[str], *, description: str) -> list[T]:
    """Call `work` for all keys in parallel, and return the results in order; an error cancels the remaining calls."""
    pool = ThreadPoolExecutor(THREADS)
    try:
        futures = [pool.submit(work, key) for key in keys]
        for future in progress_bar(as_completed(futures), total=len(keys), desc=description, unit=""):
            future.result()
        return [future.result() for future in futures]
    finally:
        pool.shutdown(cancel_futures=True)
