"""Compare the throughput of single executions with that of batch executions on the local emulator.

Run `make up stage train deploy` first. The duration is the time from the start of the first execution to the end of the
last one, as Step Functions reports them. CPU time and memory are those of the emulator, its child processes and this
command on one machine. They do not predict the resources that AWS needs.

python -m benchmarks.throughput [--single N] [--batch N [N ...]]
"""

import argparse
import contextlib
import io
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from botocore.config import Config
from PIL import Image

from common import aws
from common.errors import OperatorError
from common.stack import Stack
from deployment.read_stack import read_stack
from deployment.terraform import Terraform

EMULATOR = Path("build/local/emulator")
SINGLE, BATCHES = 200, (100, 1000, 10_000)  # number of single executions, and images of each batch execution
CONCURRENCY = 8  # single executions that run at the same time
POLL_SECONDS = 0.1  # time between two requests for the status of an execution
PARTS = ("emulator", "functions", "model", "client")
FOLDER = "test/benchmark"  # key prefix of the uploaded images
RETRIES = Config(retries={"mode": "standard", "total_max_attempts": 10}, max_pool_connections=CONCURRENCY)


@dataclass(frozen=True)
class Usage:
    """The CPU time in seconds and the memory in MiB of each part of the system in PARTS."""

    cpu: Counter[str]
    memory: Counter[str]


@dataclass(frozen=True)
class Measurement:
    """The number of classified images, the duration in seconds, and the CPU time and memory of each part."""

    images: int
    seconds: float
    usage: Usage

    @property
    def rate(self) -> float:
        """Classified images per second."""
        return self.images / self.seconds


def main(arguments: Sequence[str] | None = None) -> None:
    """Upload images, measure single and batch executions, print a table, and delete the images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--single", type=int, default=SINGLE, help=f"number of single executions ({SINGLE})")
    parser.add_argument(
        "--batch", type=int, nargs="+", default=BATCHES, help="number of images in each batch execution"
    )
    options = parser.parse_args(arguments)
    stack = read_stack(Terraform("local", logs=Path("build/local")))
    s3, states = (aws.client(service, stack.region, config=RETRIES) for service in ("s3", "stepfunctions"))
    process = psutil.Process(emulator_pid())
    keys = upload(stack, max(options.single, *options.batch), s3=s3)
    try:
        compare(stack, keys, options, process, s3=s3, states=states)
    finally:
        delete(stack, keys, s3=s3)


def compare(
    stack: Stack, keys: Sequence[str], options: argparse.Namespace, process: psutil.Process, *, s3: Any, states: Any
) -> None:
    """Measure single executions, then batch executions, and print a row for each measurement."""
    print(header(), flush=True)
    run_single(stack, keys[:CONCURRENCY], states=states)  # starts the function processes before the measurement
    single = measure(lambda: run_single(stack, keys[: options.single], states=states), options.single, process)
    print(row("single executions", single), flush=True)
    for images in options.batch:
        source = put_manifest(stack, keys[:images], s3=s3)
        batch = measure(partial(run_batch, stack, source, states=states), images, process)
        print(row("batch execution", batch), f" {batch.rate / single.rate:.1f} times", flush=True)


def emulator_pid() -> int:
    """Return the process ID of the emulator that runs the local environment."""
    command = [sys.executable, "-m", "sagelocal", "status", "--directory", str(EMULATOR)]
    status = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"process (\d+)", status.stdout)
    if not found:
        raise OperatorError(
            f"the local emulator is not running: run `make up stage train deploy` ({status.stderr.strip()})"
        )
    return int(found[1])


def upload(stack: Stack, count: int, *, s3: Any) -> list[str]:
    """Upload images of random pixels, and return their keys."""
    random = np.random.default_rng(0)

    def put(number: int, pixels: Any) -> str:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        key = f"{FOLDER}/{number:06}.png"
        s3.put_object(Bucket=stack.bucket, Key=key, Body=stream.getvalue())
        return key

    with ThreadPoolExecutor(CONCURRENCY) as pool:
        images = (random.integers(0, 256, (32, 32, 3), dtype=np.uint8) for _ in range(count))
        return list(pool.map(put, range(count), images))


def delete(stack: Stack, keys: Sequence[str], *, s3: Any) -> None:
    """Delete the objects with the given keys."""
    for start in range(0, len(keys), 1000):  # the maximum number of keys per request
        objects = [{"Key": key} for key in keys[start : start + 1000]]
        s3.delete_objects(Bucket=stack.bucket, Delete={"Objects": objects, "Quiet": True})


def put_manifest(stack: Stack, keys: Sequence[str], *, s3: Any) -> dict[str, str]:
    """Upload a manifest of keys, and return the input of a batch execution that reads this manifest."""
    key = f"{stack.batch_prefix}/manifests/benchmark-{len(keys)}.jsonl"
    body = "".join(f"{json.dumps({'Key': name})}\n" for name in keys)
    s3.put_object(Bucket=stack.bucket, Key=key, Body=body.encode())
    return {"manifest": key}


def run_single(stack: Stack, keys: Sequence[str], *, states: Any) -> list[dict[str, Any]]:
    """Start an execution for each image, with at most CONCURRENCY at the same time, and return their descriptions."""

    def run(key: str) -> dict[str, Any]:
        event = {"image_data": "", "s3_bucket": stack.bucket, "s3_key": key}
        started = states.start_execution(stateMachineArn=stack.state_machine_arn, input=json.dumps(event))
        return wait(started["executionArn"], states=states)

    with ThreadPoolExecutor(CONCURRENCY) as pool:
        ended = list(pool.map(run, keys))
    check(ended, {"SUCCEEDED", "THRESHOLD_CONFIDENCE_NOT_MET"})
    return ended


def run_batch(stack: Stack, source: dict[str, str], *, states: Any) -> list[dict[str, Any]]:
    """Run a batch execution, and return a list with its description."""
    started = states.start_execution(stateMachineArn=stack.batch_state_machine_arn, input=json.dumps(source))
    ended = [wait(started["executionArn"], states=states)]
    check(ended, {"SUCCEEDED"})
    summary = json.loads(ended[0]["output"])
    if summary["failed"]:
        raise OperatorError(f"{summary['failed']} images failed: {summary['errors']}")
    return ended


def wait(arn: str, *, states: Any) -> dict[str, Any]:
    """Wait until an execution has ended, and return its description."""
    while True:
        description: dict[str, Any] = states.describe_execution(executionArn=arn)
        if description["status"] != "RUNNING":
            return description
        time.sleep(POLL_SECONDS)


def check(ended: Sequence[dict[str, Any]], expected: set[str]) -> None:
    """Raise OperatorError unless every execution has one of the expected error names or statuses."""
    for description in ended:
        outcome = description.get("error", description["status"])
        if outcome not in expected:
            raise OperatorError(f"{description['executionArn']} ended with {outcome}: {description.get('cause')}")


def measure(run: Callable[[], list[dict[str, Any]]], images: int, process: psutil.Process) -> Measurement:
    """Run executions, and measure their duration, CPU time and memory.

    Parameters
    ----------
    run : runs the executions and returns their descriptions
    images : number of images that the executions classify
    process : process of the emulator
    """
    before = usage(process)
    ended = run()
    after = usage(process)
    starts, stops = ([description[name] for description in ended] for name in ("startDate", "stopDate"))
    cpu = Counter({part: after.cpu[part] - before.cpu[part] for part in PARTS})
    return Measurement(images, (max(stops) - min(starts)).total_seconds(), Usage(cpu, after.memory))


def usage(emulator: psutil.Process) -> Usage:
    """Return the CPU time that each part has used so far, and its current memory."""
    cpu, memory = Counter[str](), Counter[str]()
    for process in (emulator, psutil.Process(), *emulator.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess), process.oneshot():  # a child process may end in the meantime
            part, times = part_of(process, emulator), process.cpu_times()
            cpu[part] += times.user + times.system
            memory[part] += process.memory_info().rss / 2**20
    return Usage(cpu, memory)


def part_of(process: psutil.Process, emulator: psutil.Process) -> str:
    """Return the part to which a process belongs: client (this command), emulator, model or functions."""
    if process.pid == os.getpid():
        return "client"
    if process == emulator:
        return "emulator"
    return "model" if "pytorch_inference" in " ".join(process.cmdline()) else "functions"


def header() -> str:
    """Return the two header lines of the table."""
    cpu, memory = ("".join(f"{part:>10}" for part in parts) for parts in (PARTS, PARTS[:3]))
    titles = f"{'':<37}{'CPU ms per image':>40}  {'memory in MiB':>30}"
    return f"{titles}\n{'':<18}{'images':>8}{'images/s':>11}{cpu}  {memory}  speed-up"


def row(name: str, measured: Measurement) -> str:
    """Return a row of the table."""
    cpu = "".join(f"{measured.usage.cpu[part] / measured.images * 1000:>10.1f}" for part in PARTS)
    memory = "".join(f"{measured.usage.memory[part]:>10.0f}" for part in PARTS[:3])
    return f"{name:<18}{measured.images:>8}{measured.rate:>11.1f}{cpu}  {memory}"


if __name__ == "__main__":
    try:
        main()
    except OperatorError as failure:
        sys.exit(f"error: {failure}")
