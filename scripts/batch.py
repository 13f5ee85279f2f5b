"""Classify many images in one batch execution: all objects below PREFIX, or the keys in a MANIFEST or in KEYS.

RESUME names a batch execution: the command follows it if it is running, and continues it if it failed, timed out or was
stopped.
"""

import argparse
from datetime import datetime
from pathlib import Path
from typing import Any

from common.errors import OperatorError
from evaluation.batches import (
    BatchConfig,
    check,
    describe,
    download,
    follow,
    keys_input,
    manifest_input,
    prefix_input,
    resume,
    start,
)
from evaluation.executions import require_endpoint
from scripts.command.environment import Environment
from scripts.command.runner import run_command

FILE = "batch.jsonl"
SOURCES = ("prefix", "manifest", "keys", "resume")


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the source of the keys; exactly one of them must be given."""
    parser.add_argument("--prefix", default="", help="a folder in the environment's bucket, such as test")
    parser.add_argument("--manifest", default="", help="a file in JSON Lines or CSV, local or in the bucket")
    parser.add_argument("--keys", default="", help="keys of images, separated by spaces")
    parser.add_argument(
        "--resume", default="", metavar="EXECUTION", help="name of the batch execution to follow or continue"
    )


def main(environment: Environment) -> None:
    """Run or resume a batch execution, write `batch.jsonl`, and print a summary.

    Raises
    ------
    OperatorError
        The options are invalid, the endpoint does not serve the deployed model, the execution did not succeed, or
        some images could not be classified. `batch.jsonl` is written in the last case.
    """
    given = [name for name in SOURCES if getattr(environment.options, name)]
    if len(given) != 1:
        names = " and ".join(name.upper() for name in given) or "none"
        raise OperatorError(
            f"set exactly one of PREFIX, MANIFEST, KEYS and RESUME, such as `make batch ENV={environment.name} "
            f"PREFIX=test` (got {names})"
        )
    stack, states = environment.stack, environment.client("stepfunctions")
    config = BatchConfig(
        environment.name, stack.batch_state_machine_arn, stack.bucket, stack.image_prefixes, stack.batch_prefix
    )
    s3 = environment.client("s3")
    if given != ["resume"]:  # RESUME also summarizes a finished execution, for which no endpoint is needed
        require_endpoint(
            stack.endpoint_name,
            stack.endpoint_config_name,
            environment=environment.name,
            sagemaker=environment.client("sagemaker"),
        )
    arn, redriven = _execution(given[0], environment.options, config, states=states, s3=s3)
    print(f"batch execution {arn.rpartition(':')[2]}")
    summary = follow(arn, config, redriven=redriven, states=states)
    path: Path = environment.directory / FILE
    download(summary, path, s3=s3)
    print("\n".join(describe(summary)))
    print(path)
    check(summary, path)


def _execution(
    source: str, given: argparse.Namespace, config: BatchConfig, *, states: Any, s3: Any
) -> tuple[str, datetime | None]:
    """Start or resume the execution that the options describe.

    Returns
    -------
    tuple
        The execution's ARN, and the date of the redrive, or None if the execution was not redriven.
    """
    if source == "resume":
        return resume(given.resume, config, states=states)
    if source == "prefix":
        execution_input = prefix_input(given.prefix, config, s3=s3)
    elif source == "manifest":
        execution_input = manifest_input(given.manifest, config, s3=s3)
    else:
        execution_input = keys_input(given.keys, config)
    return start(execution_input, config, states=states), None


if __name__ == "__main__":
    run_command(main, __doc__, options)
