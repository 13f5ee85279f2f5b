"""Send every test image through the workflow, and keep what became of each in `run.json`."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from functools import partial
from typing import Any

import boto3
from botocore.config import Config
from tqdm import tqdm

from common.files import write_json
from common.stack import Stack
from evaluation.results import FILES, Execution, Run
from evaluation.staged import read_staged
from registry.endpoint import check_endpoint, deployed_model_package
from scripts.command import Environment, OperatorError, run_command

IN_FLIGHT = 8  # executions at a time
POLLS = (0.2, 2.0)  # seconds between two looks at an execution: at first, at most
PATIENCE = 300.0  # seconds after which an execution counts as hanging
BELOW_THRESHOLD = "THRESHOLD_CONFIDENCE_NOT_MET"
WIDTH = 80


class ExecutionsFailedError(OperatorError):
    """Executions failed for another reason than the threshold."""


def main(environment: Environment) -> None:
    """Run all test images, write `run.json`, print a table of outcomes.

    Raises
    ------
    staging.ManifestMissingError, registry.endpoint.EndpointError
        The config is missing.
    ExecutionsFailedError
        An execution failed for another reason than the threshold; `run.json` is written all the same.
    """
    stack = environment.stack
    staged = read_staged(boto3.client("s3", region_name=stack.region), stack)
    sagemaker = boto3.client("sagemaker", region_name=stack.region)
    check_deployed(stack, sagemaker)
    model = deployed_model_package(stack.endpoint_name, sagemaker=sagemaker)
    print(f"source: {staged.source}")
    settings = Config(retries={"mode": "adaptive", "total_max_attempts": 10}, max_pool_connections=IN_FLIGHT)
    states = boto3.client("stepfunctions", region_name=stack.region, config=settings)
    started = datetime.now(UTC)
    executions = execute_all(states, stack, list(staged.labels))
    run = Run(
        source=staged.source,
        images=staged.fingerprint,
        state_machine_arn=stack.state_machine_arn,
        endpoint=stack.endpoint_name,
        endpoint_config=str(stack.endpoint_config_name),
        model_package_arn=model,
        threshold=stack.threshold,
        classes=list(stack.classes),
        started=started.isoformat(),
        finished=datetime.now(UTC).isoformat(),
        executions=executions,
    )
    path = environment.directory / FILES["run"]
    write_json(path, run)
    print("\n".join(summary(executions)))
    print(path)
    check_outcomes(executions)


def check_deployed(stack: Stack, sagemaker: Any) -> None:
    """Check that the endpoint serves what Terraform deployed.

    During an update the endpoint serves the old model or the new one: no metric could say whose it is.

    Raises
    ------
    OperatorError
        No model is deployed, or the endpoint serves another configuration.
    """
    train, deploy = (f"`make {target} ENV={stack.environment}`" for target in ("train", "deploy"))
    if stack.endpoint_config_name is None:
        raise OperatorError(f"no model is deployed: run {train}, then {deploy}")
    check_endpoint(stack.endpoint_name, stack.endpoint_config_name, advice=f"run {deploy}", sagemaker=sagemaker)


def execute_all(states: Any, stack: Stack, keys: Sequence[str]) -> list[Execution]:
    """Execute the workflow for each key, some at a time; the executions in the keys' order."""
    work = partial(execute, states, stack.state_machine_arn, stack.bucket)
    pool = ThreadPoolExecutor(IN_FLIGHT)
    try:
        futures = [pool.submit(work, key) for key in keys]
        done = as_completed(futures)
        for future in tqdm(done, total=len(keys), desc="executing", unit="image", ncols=WIDTH, disable=None):
            future.result()
        return [future.result() for future in futures]
    finally:
        pool.shutdown(cancel_futures=True)


def execute(states: Any, state_machine: str, bucket: str, key: str) -> Execution:
    """One image: start, wait, and find its probabilities, wherever the execution ended."""
    event = {"image_data": "", "s3_bucket": bucket, "s3_key": key}
    arn = states.start_execution(stateMachineArn=state_machine, input=json.dumps(event))["executionArn"]
    found = wait(lambda: states.describe_execution(executionArn=arn))
    took = (found["stopDate"] - found["startDate"]).total_seconds() if "stopDate" in found else None
    hanging = f"still running after {PATIENCE:g} s" if took is None else None
    inferences = passed_on(states, arn, found.get("output"), "inferences")
    return Execution(
        s3_key=key,
        arn=arn,
        status=found["status"],
        error=found.get("error"),
        cause=found.get("cause", hanging),
        inferences=[float(value) for value in inferences] if inferences else None,
        seconds=took,
    )


def wait(
    describe: Callable[[], dict[str, Any]],
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """The description of an execution that has ended, or hangs."""
    pause, longest = POLLS
    deadline = clock() + PATIENCE
    while True:
        sleep(pause)
        found = describe()
        if found["status"] != "RUNNING" or clock() > deadline:
            return found
        pause = min(pause * 1.5, longest)


def passed_on(states: Any, arn: str, output: str | None, name: str) -> Any:
    """What an execution's output has under a name, or one of its states passed on under it; the last first."""
    if (found := named_in(output, name)) is not None:
        return found
    pages = states.get_paginator("get_execution_history").paginate(executionArn=arn, reverseOrder=True)
    for page in pages:
        for event in page["events"]:
            if (found := named_in(event.get("stateExitedEventDetails", {}).get("output"), name)) is not None:
                return found
    return None


def named_in(output: str | None, name: str) -> Any:
    """What a state's output has under a name; None where that is nothing."""
    content = json.loads(output) if output else None
    return (content.get(name) or None) if isinstance(content, dict) else None


def outcome(execution: Execution) -> str:
    """What an execution's end is called: its error's name, or its status."""
    return execution["error"] or execution["status"]


def outcome_counts(executions: Sequence[Execution]) -> list[tuple[str, int]]:
    """How many executions ended how: successes first, then what happened most."""
    counts = Counter(map(outcome, executions))
    return sorted(counts.items(), key=lambda item: (item[0] != "SUCCEEDED", -item[1]))


def summary(executions: Sequence[Execution]) -> Iterable[str]:
    """A table of outcomes, and how long executions took."""
    yield f"{'outcome':<60}{'images':>10}{'share':>10}"
    for name, count in outcome_counts(executions):
        yield f"{name[:59]:<60}{count:>10}{count / len(executions):>10.1%}"
    seconds = sorted(execution["seconds"] for execution in executions if execution["seconds"] is not None)
    if seconds:
        yield f"an execution took {seconds[len(seconds) // 2]:.2f} s (median), {seconds[-1]:.2f} s at most"


def check_outcomes(executions: Sequence[Execution]) -> None:
    """An image below the threshold is the workflow's own answer; any other failure is an error.

    Raises
    ------
    ExecutionsFailedError
        There was one.
    """
    failed = [execution for execution in executions if outcome(execution) not in ("SUCCEEDED", BELOW_THRESHOLD)]
    if failed:
        first = failed[0]
        raise ExecutionsFailedError(
            f"{len(failed)} of {len(executions)} executions failed for another reason than the threshold; "
            f"{first['s3_key']}: {outcome(first)}: {(first['cause'] or 'no cause given')[:300]}"
        )


if __name__ == "__main__":
    run_command(main, __doc__)
