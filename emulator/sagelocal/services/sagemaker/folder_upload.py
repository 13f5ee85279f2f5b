"""Uploads of container folders to S3: while the container runs (checkpoints, continuous outputs) or when it ends.

Sources: https://docs.aws.amazon.com/sagemaker/latest/dg/model-checkpoints.html
https://docs.aws.amazon.com/sagemaker/latest/dg/byoc-input-and-output.html (no symbolic links in processing outputs)
"""

import contextlib
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sagelocal.services.sagemaker.errors import JobFailedError
from sagelocal.services.sagemaker.s3_transfer import split_uri

INTERVAL = 0.5  # seconds between two scans of the folders


class FolderUpload:
    """Uploads the new and changed files of folders: in the background after `start`, and a last time in `close`.

    Parameters
    ----------
    s3
        S3 client.
    folders
        One folder of each host.
    uri
        S3 URI of the prefix for the files.
    skip_existing
        Whether files that exist when this object is created are uploaded only after they change. The files of earlier
        checkpoints, for example, were downloaded from S3.
    follow_links
        Whether symbolic links to files are uploaded as files, as in checkpoints. If not, they are ignored, as in the
        outputs of processing jobs.
    """

    def __init__(
        self, s3: Any, folders: Sequence[Path], uri: str, *, skip_existing: bool = False, follow_links: bool = False
    ) -> None:
        self._s3 = s3
        self._folders = folders
        self._follow_links = follow_links
        self._bucket, prefix = split_uri(uri)
        self._prefix = f"{prefix.rstrip('/')}/".lstrip("/")
        self._uploaded = dict(self._scan()) if skip_existing else {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start the uploads in the background."""
        self._thread.start()

    def close(self) -> None:
        """Upload the remaining changes and stop.

        Raises
        ------
        ClientError
            If S3 refuses a file.
        BotoCoreError
            If S3 cannot be reached.
        OSError
            If a file cannot be read.
        JobFailedError
            If a file name is not encoded in UTF-8, so that it cannot be an S3 key.
        """
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()
        self._upload_changes()

    def _run(self) -> None:
        printed = ""
        while not self._closed.wait(INTERVAL):
            try:
                self._upload_changes()
            except (ClientError, BotoCoreError, JobFailedError, OSError) as error:
                # the next scan tries again; close() raises the error if the last attempt fails
                target = f"s3://{self._bucket}/{self._prefix}"
                message = f"upload to {target} failed and will be retried: {error}"
                if message != printed:
                    print(message, file=sys.stderr)
                printed = message

    def _upload_changes(self) -> None:
        for path, (folder, stamp) in self._scan():
            if self._uploaded.get(path) != (folder, stamp):
                with contextlib.suppress(FileNotFoundError):  # the container may have renamed or deleted the file
                    key = self._prefix + _key(path.relative_to(folder))
                    self._s3.put_object(Bucket=self._bucket, Key=key, Body=path.read_bytes())
                    self._uploaded[path] = (folder, stamp)

    def _scan(self) -> Iterator[tuple[Path, tuple[Path, int]]]:
        """Yield the path of each file, with the host's folder and the file's modification time in nanoseconds."""
        for folder in self._folders:
            for path in sorted(folder.rglob("*")):
                with contextlib.suppress(FileNotFoundError):
                    if path.is_file() and (self._follow_links or not path.is_symlink()):
                        yield path, (folder, path.stat().st_mtime_ns)


def _key(path: Path) -> str:
    """Return the S3 key of a file, relative to the prefix.

    Raises
    ------
    JobFailedError
        If the file name is not encoded in UTF-8, because S3 keys must be encoded in UTF-8.
    """
    key = path.as_posix()
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise JobFailedError(
            f"ClientError: Artifact upload failed:the file name {key!r} is not encoded in UTF-8"
        ) from error
    return key
