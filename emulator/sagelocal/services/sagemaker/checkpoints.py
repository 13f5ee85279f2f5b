"""Checkpoints on their way to S3 while a job runs, so that one that is killed can be gone on with.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/model-checkpoints.html
"""

import contextlib
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sagelocal.services.sagemaker.objects import split

INTERVAL = 0.5  # seconds between two looks at the folders


class Checkpoints:
    """Brings what changes in the hosts' folders to one place in S3, until it is closed.

    Parameters
    ----------
    s3
        A client.
    uri
        Below which the files are put.
    """

    def __init__(self, s3: Any, folders: Sequence[Path], uri: str) -> None:
        self._s3 = s3
        self._folders = folders
        self._bucket, prefix = split(uri)
        self._prefix = f"{prefix.rstrip('/')}/".lstrip("/")
        self._brought = dict(self._found())  # what is there before the job begins has come from S3
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Bring what is left.

        Raises
        ------
        ClientError
            S3 refuses it.
        """
        self._closed.set()
        self._thread.join()
        self._bring()

    def _run(self) -> None:
        while not self._closed.wait(INTERVAL):
            try:
                self._bring()
            except (ClientError, BotoCoreError) as error:
                # the next look tries again, and the last one says it
                print(f"checkpoints are not in S3 yet: {error}", file=sys.stderr)

    def _bring(self) -> None:
        for path, (folder, stamp) in self._found():
            if self._brought.get(path) != (folder, stamp):
                with contextlib.suppress(FileNotFoundError):  # the container has renamed or deleted it meanwhile
                    key = self._prefix + path.relative_to(folder).as_posix()
                    self._s3.put_object(Bucket=self._bucket, Key=key, Body=path.read_bytes())
                    self._brought[path] = (folder, stamp)

    def _found(self) -> Iterator[tuple[Path, tuple[Path, int]]]:
        """Each file, the folder that it belongs to, and when it was written last."""
        for folder in self._folders:
            for path in sorted(folder.rglob("*")):
                with contextlib.suppress(FileNotFoundError):
                    if path.is_file():
                        yield path, (folder, path.stat().st_mtime_ns)
