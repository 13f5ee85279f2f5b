"""Check on the local emulator that every photograph gets exactly one item in DynamoDB, even while services fail.

Run `make up stage train deploy` first. While simulated drivers upload photographs, the benchmark kills the processes of
functions and of the endpoint, throttles the function Classify, and deletes the DynamoDB table of drivers and the SNS
topic and creates them again. It does not change the state machine or the functions, so the state machine's own retries
must handle these faults.

python -m benchmarks.faults [--images N] [--seconds S] [--seed N]
"""

import argparse
import contextlib
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from botocore.config import Config

from benchmarks.throughput import emulator_pid, part_of, usage
from common import aws
from common.errors import OperatorError
from common.files import write_json
from common.stack import Stack
from deployment.read_stack import read_stack
from deployment.terraform import Terraform
from evaluation.labelled_images import read_test_images
from evaluation.traffic import UPLOAD_THREADS, Target, drive, sample_images
from evaluation.traffic_arrivals import poisson_arrivals
from evaluation.traffic_report import find_problems, summary, to_json

BUILD = Path("build/local")
IMAGES, SECONDS, SEED = 300, 60.0, 1
KILL_SECONDS = 4.0  # time between two kills of all function processes
OUTAGE_SECONDS = 8.0  # time for which the table or the topic does not exist
DRAIN_SECONDS = 2.0  # time to wait after Classify is throttled, until running executions have written their items
RETRIES = Config(retries={"mode": "standard", "total_max_attempts": 5}, max_pool_connections=UPLOAD_THREADS)
# Start time, as a share of the uploads' duration, and the function that injects the fault
Fault = tuple[float, Callable[[], None]]


class Faults:
    """Injects faults while photographs are uploaded, and restores the deleted resources."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._emulator = psutil.Process(emulator_pid())
        self._lambda, self._dynamodb, self._sns = (
            aws.client(name, stack.region) for name in ("lambda", "dynamodb", "sns")
        )
        self.counts = {"functions killed": 0, "endpoint processes killed": 0, "outages": 0}
        self._errors: list[BaseException] = []

    def run(self, seconds: float, stop: threading.Event) -> None:
        """Inject all faults, kill functions between them, and store an exception for `check`, which raises it.

        Parameters
        ----------
        seconds : duration of the uploads
        stop : ends the injection early when set
        """
        try:
            self._run(seconds, stop)
        except Exception as error:
            self._errors.append(error)

    def check(self) -> None:
        """Raise OperatorError if a fault could not be injected or reverted."""
        if self._errors:
            error = self._errors[0]
            raise OperatorError(
                f"a fault could not be injected or reverted: {error}. Run `make up` to restore the resources"
            ) from error

    def _run(self, seconds: float, stop: threading.Event) -> None:
        started = time.monotonic()
        faults: list[Fault] = [
            (0.1, self._kill_endpoint),
            (0.25, self._delete_table),
            (0.5, self._delete_topic),
            (0.75, self._kill_endpoint),
        ]
        for share, inject in faults:
            while time.monotonic() < started + share * seconds:
                self._kill("functions", "functions killed")
                if stop.wait(KILL_SECONDS):
                    return
            inject()

    def _kill(self, part: str, counter: str) -> None:
        for process in self._emulator.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if part_of(process, self._emulator) == part and "watchdog" not in " ".join(process.cmdline()):
                    process.kill()
                    self.counts[counter] += 1

    def _kill_endpoint(self) -> None:
        self._kill("model", "endpoint processes killed")

    def _delete_table(self) -> None:
        """Delete the drivers' table, and create it again after OUTAGE_SECONDS with its items.

        Classify is throttled while the items are read, and while they are written back, because executions would
        otherwise write items at the same time. Executions run while the table does not exist.
        """
        name = next(each for each in self._stack.function_code_sha256 if each.endswith("-classify"))
        table = self._stack.drivers_table
        self._lambda.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        time.sleep(DRAIN_SECONDS)
        description = self._dynamodb.describe_table(TableName=table)["Table"]
        tags = self._dynamodb.list_tags_of_resource(ResourceArn=description["TableArn"])["Tags"]
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        items = [item for page in pages for item in page["Items"]]
        self._dynamodb.delete_table(TableName=table)
        self._lambda.delete_function_concurrency(FunctionName=name)
        self.counts["outages"] += 2  # the throttled function and the deleted table
        time.sleep(OUTAGE_SECONDS)
        self._lambda.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        self._dynamodb.create_table(
            TableName=table,
            KeySchema=description["KeySchema"],
            AttributeDefinitions=description["AttributeDefinitions"],
            BillingMode="PAY_PER_REQUEST",
            SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": self._stack.kms_key_arn},
            Tags=tags,
        )
        for item in items:
            # The condition fails if an execution has already written a newer item of the driver
            with contextlib.suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
                self._dynamodb.put_item(TableName=table, Item=item, ConditionExpression="attribute_not_exists(driver)")
        self._lambda.delete_function_concurrency(FunctionName=name)

    def _delete_topic(self) -> None:
        """Delete the SNS failures topic, and create it again after OUTAGE_SECONDS with its ARN, settings and tags."""
        arn = self._stack.failures_topic_arn
        attributes = self._sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        tags = self._sns.list_tags_for_resource(ResourceArn=arn)["Tags"]
        self._sns.delete_topic(TopicArn=arn)
        self.counts["outages"] += 1
        time.sleep(OUTAGE_SECONDS)
        settings = {name: attributes[name] for name in ("KmsMasterKeyId", "Policy") if attributes.get(name)}
        self._sns.create_topic(Name=arn.rpartition(":")[2], Attributes=settings, Tags=tags)


def main(arguments: Sequence[str] | None = None) -> None:
    """Upload images while faults are injected, check the items, print a summary, and write `faults.json`.

    Raises
    ------
    OperatorError
        The emulator does not run, a fault could not be injected or reverted, or the check found a problem, such as an
        image without an item or with two results.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--images", type=int, default=IMAGES, help=f"mean number of images; the arrivals are random ({IMAGES})"
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"duration of the uploads ({SECONDS:g})")
    parser.add_argument("--seed", type=int, default=SEED, help=f"random seed for the arrivals and images ({SEED})")
    options = parser.parse_args(arguments)
    stack = read_stack(Terraform("local", logs=BUILD))
    s3, dynamodb, states = (
        aws.client(name, stack.region, config=RETRIES) for name in ("s3", "dynamodb", "stepfunctions")
    )
    keys = sorted(read_test_images(stack.bucket, classes=stack.classes, environment="local", s3=s3).labels)
    images = list(sample_images(stack.bucket, keys, seed=options.seed, s3=s3).values())
    target = Target(
        bucket=stack.bucket,
        prefix=stack.incoming_prefix,
        vehicles_table=stack.vehicles_table,
        drivers_table=stack.drivers_table,
        review_prefix=stack.review_prefix,
        state_machine_arn=stack.state_machine_arn,
    )
    arrivals = poisson_arrivals(options.images / options.seconds, options.seconds, seed=options.seed)
    faults, stop = Faults(stack), threading.Event()
    emulator = psutil.Process(emulator_pid())
    before = usage(emulator)
    injector = threading.Thread(target=faults.run, args=(options.seconds, stop))
    injector.start()
    try:
        traffic = drive(arrivals, images, target, s3=s3, dynamodb=dynamodb, states=states)
    finally:
        stop.set()
        injector.join()
    faults.check()
    if traffic.interruption:
        raise traffic.interruption
    problems = find_problems(traffic, target, s3=s3, dynamodb=dynamodb)
    write_json(BUILD / "faults.json", to_json(traffic, problems, {**vars(options), **faults.counts}))
    print("\n".join(summary(traffic, problems)))
    print(", ".join(f"{count} {name}" for name, count in faults.counts.items()))
    cpu = usage(emulator).cpu["emulator"] - before.cpu["emulator"]
    print(f"emulator: {cpu / max(len(traffic.uploads), 1) * 1000:.0f} ms of CPU time per image")
    if problems:
        raise OperatorError(f"{len(problems)} problems, listed in {BUILD / 'faults.json'}; the first is {problems[0]}")


if __name__ == "__main__":
    try:
        main()
    except OperatorError as failure:
        sys.exit(f"error: {failure}")
