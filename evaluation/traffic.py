"""Upload images as the drivers' apps do, and follow each object version until the workflow has recorded its result.

The number of threads and the memory per image do not depend on the number of images.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any

import numpy as np
from botocore.exceptions import BotoCoreError, ClientError

from common.s3 import THREADS
from common.terminal import progress_bar
from evaluation.traffic_arrivals import Arrival, content
from evaluation.traffic_items import BATCH, ENDED, EventExecution, Key, executions, read_items

UPLOAD_THREADS = 16
MAX_TEST_IMAGES = 500  # maximum number of test images in memory
POLL_SECONDS = 1.0
SEARCH_SECONDS = 15.0  # time without progress after which ended executions are listed, and time between two listings
TIMEOUT_SECONDS = 300.0


@dataclass(frozen=True)
class Target:
    """The deployed resources that images pass through."""

    bucket: str
    prefix: str
    vehicles_table: str
    drivers_table: str
    review_prefix: str
    state_machine_arn: str


@dataclass(slots=True)
class Upload:
    """An uploaded object version and its result. All times are seconds since 1970.

    Attributes
    ----------
    version : version ID of the S3 object; None if the upload failed
    absent : time of the last read of the table that did not find the image's item
    ended : time at which the item was written; None if no item was found
    outcome : `recorded`, `superseded`, `review`, `lost` or `failed upload`; None if the command was interrupted before
        the result was known
    error : error name for the outcome `review`; reason for the outcomes `lost` and `failed upload`
    photograph_order : text that sorts the driver's photographs by time; None for a photograph to review
    """

    arrival: Arrival
    image: str
    uploaded: float
    version: str | None = None
    absent: float = 0.0
    ended: float | None = None
    outcome: str | None = None
    error: str | None = None
    execution: str | None = None
    photograph_order: str | None = None

    @property
    def key(self) -> Key:
        """The primary key of the image's item."""
        return self.image, self.version or ""

    @property
    def seconds(self) -> float | None:
        """Seconds from the upload until the item was written; None if no item was found."""
        return None if self.ended is None else max(self.ended - self.uploaded, 0.0)


@dataclass
class Traffic:
    """All uploads of simulated traffic.

    Attributes
    ----------
    interruption : KeyboardInterrupt or the AWS error that ended the uploads early; None if nothing ended them early
    """

    started: float
    uploads: list[Upload] = field(default_factory=list)
    interruption: BaseException | None = None


class Follower:
    """Reads the results of uploaded images. An image has ended if its DynamoDB item exists, or if the image is lost."""

    def __init__(self, target: Target, *, started: float, dynamodb: Any, states: Any) -> None:
        self.pending: dict[Key, Upload] = {}
        self._target = target
        self._started = started
        self._dynamodb = dynamodb
        self._states = states
        self._executions: set[str] = set()  # ARNs of executions that need no further request

    def poll(self) -> int:
        """Read items of pending images, the least recently read first, and return the number of images that ended.

        The function stops after a batch in which less than half of the images have ended. The number of requests
        therefore depends on the number of images that end, and not on the number of pending images.
        """
        keys, ended = list(self.pending), 0
        for start in range(0, len(keys), BATCH):
            batch = keys[start : start + BATCH]
            found = self._read(batch)
            ended += found
            if 2 * found < len(batch):
                break
        return ended

    def search_ended(self) -> int:
        """Find pending images whose execution has ended, and return the number of these images.

        If such an image has no item, it is marked as lost.
        """
        found = self._executions_of_pending(ENDED)
        ended = self._read(list(found))  # an execution writes its item before it ends
        for key, execution in found.items():
            if upload := self.pending.pop(key, None):
                _lose(upload, f"no item: {execution.result}", execution.arn)
                ended += 1
        return ended

    def give_up(self) -> None:
        """Mark all pending images as lost. If an image's execution is still running, record the execution's ARN."""
        running = self._executions_of_pending(("RUNNING",))
        for key, upload in self.pending.items():
            if execution := running.get(key):
                _lose(upload, "no item: the execution is still running", execution.arn)
            else:
                _lose(upload, "no item and no execution", None)
        self.pending.clear()

    def _executions_of_pending(self, statuses: Sequence[str]) -> dict[Key, EventExecution]:
        found = list(
            executions(
                self._target.state_machine_arn,
                statuses,
                started=self._started,
                known=self._executions,
                states=self._states,
            )
        )
        self._executions |= {each.arn for each in found if each.key not in self.pending}
        return {each.key: each for each in found if each.key in self.pending and each.key}

    def _read(self, keys: Sequence[Key]) -> int:
        now = time.time()
        result = read_items(self._target.vehicles_table, keys, dynamodb=self._dynamodb)
        for key in keys:
            upload = self.pending.pop(key)
            if item := result.items.get(key):
                upload.outcome, upload.error, upload.execution = item["outcome"], item.get("error"), item["execution"]
                if upload.outcome != "review":
                    path = upload.image.removeprefix(f"s3://{self._target.bucket}/")
                    upload.photograph_order = f"{item['photographed']}#{path}#{upload.version}"
                # `recorded` is the time at which the state that writes the item was entered. This is too early if the
                # first attempts to write the item failed
                upload.ended = max(datetime.fromisoformat(item["recorded"]).timestamp(), upload.absent)
                self._executions.add(item["execution"])
                continue
            if key not in result.unread:
                upload.absent = now
            self.pending[key] = upload
        return len(result.items)


def sample_images(bucket: str, keys: Sequence[str], *, seed: int, s3: Any) -> dict[str, bytes]:
    """Read test images from S3, and return their content by key; of many images, read a sample of MAX_TEST_IMAGES."""
    if len(keys) > MAX_TEST_IMAGES:
        keys = np.random.default_rng(seed).choice(keys, MAX_TEST_IMAGES, replace=False).tolist()
    with ThreadPoolExecutor(THREADS) as pool:
        bodies = pool.map(lambda key: s3.get_object(Bucket=bucket, Key=key)["Body"].read(), keys)
        return dict(zip(keys, bodies, strict=True))


def drive(
    arrivals: Sequence[Arrival],
    images: Sequence[bytes],
    target: Target,
    *,
    s3: Any,
    dynamodb: Any,
    states: Any,
    interval: float = POLL_SECONDS,
    timeout: float = TIMEOUT_SECONDS,
) -> Traffic:
    """Upload each image at its arrival time, follow all uploads until their results are known, and return the uploads.

    Ctrl-C or an AWS error ends the function early. The outcome of images whose result is then unknown is None.

    Parameters
    ----------
    images : the test images
    interval : seconds between two polls
    timeout : seconds without an upload or a new result, after which all pending images are marked as lost
    """
    traffic = Traffic(started=time.time())
    follower = Follower(target, started=traffic.started, dynamodb=dynamodb, states=states)
    uploads: SimpleQueue[Upload] = SimpleQueue()
    stop = threading.Event()
    work = _uploader(arrivals, lambda arrival: uploads.put(upload(arrival, images, target, s3=s3)), stop)
    with (
        ThreadPoolExecutor(UPLOAD_THREADS) as pool,
        progress_bar(total=len(arrivals), desc="traffic", unit="image") as bar,
    ):
        workers = [pool.submit(work) for _ in range(UPLOAD_THREADS)]
        try:
            _follow(traffic, uploads, follower, lambda: all(each.done() for each in workers), bar, interval, timeout)
        except (KeyboardInterrupt, ClientError, BotoCoreError) as error:
            traffic.interruption = error
        finally:
            stop.set()
    _receive(traffic, uploads, follower)
    if traffic.interruption is None:
        for worker in workers:
            worker.result()
    return traffic


def _follow(
    traffic: Traffic,
    uploads: "SimpleQueue[Upload]",
    follower: Follower,
    is_uploaded: Callable[[], bool],
    bar: Any,
    interval: float,
    timeout: float,
) -> None:
    progress = searched = time.monotonic()
    while True:
        complete = is_uploaded()  # checked before the queue is emptied, so that no upload is missed
        new = _receive(traffic, uploads, follower)
        ended = follower.poll()
        now = time.monotonic()
        if min(now - progress, now - searched) > min(SEARCH_SECONDS, timeout):
            ended += follower.search_ended()
            searched = now
        bar.update(ended)
        bar.set_postfix(uploaded=len(traffic.uploads), refresh=False)
        if new or ended or not complete:
            progress = now
        if complete and not follower.pending:
            return
        if now - progress > timeout:
            follower.search_ended()
            follower.give_up()
            return
        time.sleep(interval)


def _receive(traffic: Traffic, uploads: "SimpleQueue[Upload]", follower: Follower) -> int:
    count = 0
    while not uploads.empty():
        count += 1
        received = uploads.get()
        traffic.uploads.append(received)
        if received.version is not None:
            follower.pending[received.key] = received
    return count


def _uploader(
    arrivals: Sequence[Arrival], upload_one: Callable[[Arrival], None], stop: threading.Event
) -> Callable[[], None]:
    """Return the function of each thread: repeatedly take the next arrival, wait until its time, upload its image."""
    remaining: Iterator[Arrival] = iter(arrivals)
    lock = threading.Lock()
    started = time.monotonic()

    def work() -> None:
        while True:
            with lock:
                arrival = next(remaining, None)
            if arrival is None or stop.wait(max(started + arrival.seconds - time.monotonic(), 0)):
                return
            upload_one(arrival)

    return work


def upload(arrival: Arrival, images: Sequence[bytes], target: Target, *, s3: Any) -> Upload:
    """Upload the image of an arrival to the driver's key prefix, and return the upload, even if it failed."""
    key = f"{target.prefix}/{arrival.driver}/{arrival.name}"
    body = content(arrival, images)
    result = Upload(arrival, f"s3://{target.bucket}/{key}", uploaded=time.time())
    try:
        response = s3.put_object(Bucket=target.bucket, Key=key, Body=body, ContentType="image/png")
    except (ClientError, BotoCoreError) as error:
        result.outcome, result.error = "failed upload", " ".join(str(error).split())
    else:
        result.uploaded, result.version = time.time(), response["VersionId"]
    return result


def _lose(upload: Upload, reason: str, execution: str | None) -> None:
    upload.outcome, upload.error, upload.execution = "lost", reason, execution


def utc(seconds: float) -> str:
    """Return seconds since 1970 as UTC in ISO format."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
