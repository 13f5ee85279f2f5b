"""Run the state machine once per test image and record how each execution ended."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from statistics import median
from typing import Any, TypedDict, cast

from common.errors import OperatorError
from common.files import read_result
from common.terminal import progress_bar
from evaluation.execution_details import describe_execution
from evaluation.metrics import Proportion
from registry.endpoint import check_endpoint
from registry.lineage import Prediction

CONCURRENT_EXECUTIONS = 8
POLL_SECONDS = (0.2, 2.0)  # first and longest interval between two polls
TIMEOUT_SECONDS = 300.0  # an execution that runs longer is reported as hanging
BELOW_THRESHOLD = "THRESHOLD_CONFIDENCE_NOT_MET"


class Execution(TypedDict):
    """One execution of the state machine.

    Attributes
    ----------
    inferences : probabilities in class order, even if the execution failed after the endpoint's response; None if the
        endpoint did not respond
    seconds : duration from AWS's timestamps; None if the execution is still running
    """

    s3_key: str
    arn: str
    status: str
    error: str | None
    cause: str | None
    inferences: list[float] | None
    seconds: float | None


class Run(TypedDict):
    """The content of `run.json`: all executions, and the data, model and settings that determine their results.

    Attributes
    ----------
    images : fingerprint of the test images and their labels
    """

    source: str
    synthetic: bool
    images: str
    state_machine_arn: str
    endpoint: str
    endpoint_config: str
    model_package_arn: str | None
    threshold: float
    classes: list[str]
    started: str
    finished: str
    executions: list[Execution]


def read_run(directory: Path) -> Run:
    """Return the last run.

    Raises
    ------
    StepMissingError
        There is no valid `run.json`.
    """
    return cast(Run, read_result(directory, "run", Run.__required_keys__))


def require_endpoint(endpoint: str, config: str | None, *, environment: str, sagemaker: Any) -> None:
    """Check that the endpoint serves the configuration that Terraform deployed.

    While SageMaker updates an endpoint, both the old and the new model respond, so it would be unknown which of them
    made a prediction.

    Raises
    ------
    OperatorError
        No model is deployed, or the endpoint is missing or serves another configuration.
    """
    deploy = f"`make deploy ENV={environment}`"
    if config is None:
        raise OperatorError(f"no model is deployed: run `make train ENV={environment}`, then {deploy}")
    check_endpoint(endpoint, config, advice=f"run {deploy}", sagemaker=sagemaker)


def execute_all(state_machine_arn: str, bucket: str, keys: Sequence[str], *, states: Any) -> list[Execution]:
    """Execute the state machine for each image key, and return the executions in the order of the keys.

    At most `CONCURRENT_EXECUTIONS` executions run at the same time.
    """
    pool = ThreadPoolExecutor(CONCURRENT_EXECUTIONS)
    try:
        futures = [pool.submit(execute, state_machine_arn, bucket, key, states=states) for key in keys]
        completed = as_completed(futures)
        for future in progress_bar(completed, total=len(keys), desc="executing", unit="image"):
            future.result()
        return [future.result() for future in futures]
    finally:
        pool.shutdown(cancel_futures=True)


def execute(state_machine_arn: str, bucket: str, key: str, *, states: Any) -> Execution:
    """Execute the state machine for one image, and wait until the execution ends."""
    arn = start_execution(state_machine_arn, bucket, key, states=states)
    description = wait_for_end(lambda: states.describe_execution(executionArn=arn))
    ended = "stopDate" in description
    inferences = find_in_output(arn, description.get("output"), "inferences", states=states)
    return Execution(
        s3_key=key,
        arn=arn,
        status=description["status"],
        error=description.get("error"),
        cause=description.get("cause", None if ended else f"still running after {TIMEOUT_SECONDS:g} s"),
        inferences=[float(value) for value in inferences] if inferences else None,
        seconds=(description["stopDate"] - description["startDate"]).total_seconds() if ended else None,
    )


def start_execution(state_machine_arn: str, bucket: str, key: str, *, states: Any) -> str:
    """Start an execution for one image, with an input in the course's input format, and return the execution's ARN."""
    event = {"image_data": "", "s3_bucket": bucket, "s3_key": key}
    return str(states.start_execution(stateMachineArn=state_machine_arn, input=json.dumps(event))["executionArn"])


def current_state(arn: str, *, states: Any) -> str:
    """Return the name of the state that an execution entered last, or an empty string if it has entered none."""
    events = states.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=20)["events"]
    entered = (event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event)
    return next(entered, "")


def wait_for_end(
    describe: Callable[[], dict[str, Any]],
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Return the description of an execution once it has ended, or after `TIMEOUT_SECONDS`."""
    interval, longest = POLL_SECONDS
    deadline = clock() + TIMEOUT_SECONDS
    while True:
        sleep(interval)
        description = describe()
        if description["status"] != "RUNNING" or clock() > deadline:
            return description
        interval = min(interval * 1.5, longest)


def find_in_output(arn: str, output: str | None, name: str, *, states: Any) -> Any:
    """Return the value of the field `name` in an execution's output.

    A failed execution has no output. If the field is missing or empty in the execution's output, return its value from
    the output of the last state that has a value, or None if no state has a value.
    """
    if (value := _field(output, name)) is not None:
        return value
    pages = states.get_paginator("get_execution_history").paginate(executionArn=arn, reverseOrder=True)
    for page in pages:
        for event in page["events"]:
            if (value := _field(event.get("stateExitedEventDetails", {}).get("output"), name)) is not None:
                return value
    return None


def _field(output: str | None, name: str) -> Any:
    """Return a field of a state's output, or None if it is missing or empty."""
    content = json.loads(output) if output else None
    return (content.get(name) or None) if isinstance(content, dict) else None


def find_prediction(state_machine_arn: str, execution: str, *, states: Any) -> Prediction:
    """Return the prediction of an execution, even if the execution failed because of a low confidence.

    Parameters
    ----------
    execution : ARN or name of the execution; an empty string selects the latest execution

    Raises
    ------
    OperatorError
        The execution does not exist, or has no prediction.
    """
    described = describe_execution(execution, [state_machine_arn], states=states)
    arn = described["executionArn"]
    version = find_in_output(arn, described.get("output"), "model_version", states=states)
    if version is None:
        error = f" ({described['error']})" if "error" in described else ""
        raise OperatorError(f"{arn} is {described['status']}{error} and has no prediction")
    if version == "unknown":
        raise OperatorError(f"{arn} does not contain the version of its model: set MODEL instead of EXECUTION")
    # if an S3 event started the execution, the input has no field `s3_key`, but the outputs of the states have it
    key = json.loads(described["input"]).get("s3_key") or find_in_output(
        arn, described.get("output"), "s3_key", states=states
    )
    return Prediction(
        execution_arn=arn,
        status=described.get("error") or described["status"],
        model_version=version,
        key=key or "no key",
        probabilities=find_in_output(arn, described.get("output"), "inferences", states=states),
    )


def outcome(execution: Execution) -> str:
    """Return the name of an execution's error, or the status if the execution has no error."""
    return execution["error"] or execution["status"]


def outcome_counts(executions: Sequence[Execution]) -> list[tuple[str, int]]:
    """Return the number of executions by outcome: the successful ones first, then the errors by decreasing number."""
    counts = Counter(map(outcome, executions))
    return sorted(counts.items(), key=lambda item: (item[0] != "SUCCEEDED", -item[1]))


def summary(executions: Sequence[Execution]) -> Iterable[str]:
    """Yield the lines of a table of outcomes, and a line with the median and maximum duration."""
    yield f"{'outcome':<60}{'images':>10}{'share':>10}"
    for name, count in outcome_counts(executions):
        yield f"{name[:59]:<60}{count:>10}{count / len(executions):>10.1%}"
    seconds = [execution["seconds"] for execution in executions if execution["seconds"] is not None]
    if seconds:
        yield f"duration of an execution: {median(seconds):.2f} s (median), {max(seconds):.2f} s (maximum)"


def history_figures(executions: Sequence[Execution], labels: Mapping[str, int]) -> dict[str, Any]:
    """Return the metrics that are stored in the history of the environment.

    Parameters
    ----------
    labels : class number of each image, by S3 key
    """
    predicted = [(each["inferences"], labels[each["s3_key"]]) for each in executions if each["inferences"]]
    accuracy = Proportion(sum(values.index(max(values)) == label for values, label in predicted), len(predicted))
    seconds = [each["seconds"] for each in executions if each["seconds"] is not None]
    return {
        "accuracy": accuracy.value,
        "accuracy_interval": accuracy.interval,
        "n": accuracy.n,
        "outcomes": dict(outcome_counts(executions)),
        "median_seconds": median(seconds) if seconds else None,
    }


def check_outcomes(executions: Sequence[Execution]) -> None:
    """Check that every execution succeeded or had a confidence below the threshold, which is an expected result.

    Raises
    ------
    OperatorError
        An execution failed for another reason than the threshold.
    """
    failed = [execution for execution in executions if outcome(execution) not in ("SUCCEEDED", BELOW_THRESHOLD)]
    if failed:
        first = failed[0]
        raise OperatorError(
            f"{len(failed)} of {len(executions)} executions failed for another reason than the threshold; "
            f"the first is {first['s3_key']}: {outcome(first)}: {(first['cause'] or 'no cause given')[:300]}"
        )
