"""Listings of objects and of object versions, which replace moto's.

For each page of versions, moto copies all versions of the bucket, and finds the start of the page only if the last
version of the previous page still exists. A client that deletes each page of versions before it requests the next page,
as Terraform does to empty a bucket, would miss the remaining versions.
"""

from collections.abc import Iterator
from itertools import islice
from types import SimpleNamespace
from typing import Any

from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, FakeTableStorageBucket, S3Backend

from sagelocal.core.patching import replace

# A key and one of its versions, or a common prefix and None
Entry = tuple[str, FakeKey | FakeDeleteMarker | None]


def install() -> None:
    """Replace moto's listing of versions, and hide delete markers from its listing of objects."""
    names = ("bucket_name", "delimiter", "key_marker", "max_keys", "prefix", "version_id_marker")
    replace(S3Backend, "list_object_versions", _list_object_versions, parameters=names)
    _hide_delete_markers()


def _list_object_versions(
    self: S3Backend,
    bucket_name: str,
    delimiter: str | None = None,
    key_marker: str | None = None,
    max_keys: int | None = 1000,
    prefix: str = "",
    version_id_marker: str | None = None,
) -> tuple[list[FakeKey], list[str], list[FakeDeleteMarker], str | None, str | None]:
    """Return one page of versions: object versions, common prefixes, delete markers, and the next page's two markers.

    The markers are the key and the version ID of the page's last entry, or None if there is no further page.
    """
    entries = _entries(self.get_bucket(bucket_name), prefix, delimiter, key_marker or "", version_id_marker)
    page = list(islice(entries, max_keys))
    versions = [version for _, version in page if isinstance(version, FakeKey)]
    delete_markers = [version for _, version in page if isinstance(version, FakeDeleteMarker)]
    prefixes = [name for name, version in page if version is None]
    if not page or next(entries, None) is None:
        return versions, prefixes, delete_markers, None, None
    name, last = page[-1]
    return versions, prefixes, delete_markers, name, None if last is None else _version_id(last)


def _entries(
    bucket: FakeBucket, prefix: str, delimiter: str | None, key_marker: str, version_id_marker: str | None
) -> Iterator[Entry]:
    """Yield the entries after the markers in S3's order: by key, and the versions of a key from newest to oldest.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/list-obj-version-enabled-bucket.html
    """
    latest_prefix = key_marker
    for key in sorted(key for key in list(bucket.keys) if key.startswith(prefix) and key >= key_marker):
        if delimiter and (end := key.find(delimiter, len(prefix))) >= 0:
            common = key[: end + len(delimiter)]
            if common > latest_prefix:
                latest_prefix = common
                yield common, None
        elif key > key_marker or version_id_marker:
            versions = bucket.keys.getlist(key, [])[::-1]
            for number, version in enumerate(versions):
                version.is_latest = number == 0
            listed = [_version_id(version) for version in versions] if key == key_marker else []
            first = listed.index(version_id_marker) + 1 if version_id_marker in listed else 0
            yield from ((key, version) for version in versions[first:])


def _version_id(version: FakeKey | FakeDeleteMarker) -> str:
    return "null" if version.version_id is None else str(version.version_id)


def _hide_delete_markers() -> None:
    """Exclude delete markers from object listings, so that a prefix with only deleted objects is not listed."""

    def list_objects(
        self: S3Backend,
        bucket: FakeBucket,
        prefix: str | None,
        delimiter: str | None,
        marker: str | None,
        max_keys: int | None,
    ) -> Any:
        if not isinstance(bucket, FakeTableStorageBucket):
            keys = {key: version for key, version in bucket.keys.items() if not isinstance(version, FakeDeleteMarker)}
            bucket = SimpleNamespace(keys=keys)  # type: ignore[assignment]
        return original(self, bucket, prefix, delimiter, marker, max_keys)

    parameters = ("bucket", "prefix", "delimiter", "marker", "max_keys")
    original = replace(S3Backend, "list_objects", list_objects, parameters=parameters)
