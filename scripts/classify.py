"""Classify a local image file with the deployed state machine, and show the result.

The command fails if the confidence is below the threshold.
"""

import argparse
from pathlib import Path
from typing import Any

from common.errors import OperatorError
from common.terminal import progress_bar
from evaluation.execution_details import ExecutionDetails, read_execution
from evaluation.execution_text import describe_cause, wrap
from evaluation.executions import BELOW_THRESHOLD, current_state, require_endpoint, start_execution, wait_for_end
from evaluation.image_upload import read_image_file, upload_image
from scripts.command.environment import Environment
from scripts.command.runner import run_command

MAX_CAUSE = 300  # maximum number of characters of an error's cause


def options(parser: argparse.ArgumentParser) -> None:
    """Add the option `--image`."""
    parser.add_argument("--image", default="", help="a JPEG or PNG file")


def main(environment: Environment) -> None:
    """Upload the image, execute the state machine and print the class, its confidence, the model and the execution.

    Raises
    ------
    OperatorError
        The file is not an image that the model accepts, the endpoint does not serve the deployed model, the confidence
        is below the threshold, or the execution failed for another reason.
    """
    if not environment.options.image:
        raise OperatorError(
            f"IMAGE must name a JPEG or PNG file, such as `make classify ENV={environment.name} IMAGE=photo.jpg`"
        )
    path = Path(environment.options.image)
    content = read_image_file(path)
    stack, states = environment.stack, environment.client("stepfunctions")
    require_endpoint(
        stack.endpoint_name,
        stack.endpoint_config_name,
        environment=environment.name,
        sagemaker=environment.client("sagemaker"),
    )
    key = upload_image(
        content, path.name, bucket=stack.bucket, prefix=stack.uploads_prefix, s3=environment.client("s3")
    )
    arn = start_execution(stack.state_machine_arn, stack.bucket, key, states=states)
    command = f"make execution ENV={environment.name} ID={arn.rpartition(':')[2]}"
    follow(arn, command, states=states)
    execution = read_execution(arn, [], states=states)
    for title, text in result(execution, stack.threshold, command):
        print("\n".join(wrap(title, text)))
    check(execution, command)


def follow(arn: str, command: str, *, states: Any) -> None:
    """Wait until an execution has ended, and show the execution's current state in the meantime.

    Parameters
    ----------
    command : command that shows the execution, for the message after Ctrl-C
    """
    with progress_bar(bar_format="{desc} {elapsed}", leave=False) as bar:

        def describe() -> dict[str, Any]:
            bar.set_description_str(current_state(arn, states=states))
            description: dict[str, Any] = states.describe_execution(executionArn=arn)
            return description

        try:
            wait_for_end(describe)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"the execution continues: `{command}` shows it") from None


def result(execution: ExecutionDetails, threshold: float, command: str) -> list[tuple[str, str]]:
    """Return the lines of the result, each as a title and a text."""
    lines = [("image", execution.image.uri)] if execution.image else []
    if execution.probabilities:
        name, confidence = execution.probabilities[0]
        comparison = "reaches" if confidence >= threshold else "is below"
        lines += [("class", name), ("confidence", f"{confidence:.4f}, which {comparison} the threshold {threshold:g}")]
    if execution.model_version:
        lines.append(("model", execution.model_version))
    return [*lines, ("execution", execution.name), ("details", command)]


def check(execution: ExecutionDetails, command: str) -> None:
    """Check that the execution succeeded.

    Raises
    ------
    OperatorError
        The confidence is below the threshold, the execution failed for another reason, or it still runs.
    """
    if execution.status == "RUNNING":
        raise OperatorError(f"the execution still runs: `{command}` shows it")
    cause = describe_cause(execution.cause or "no cause given", MAX_CAUSE)
    if execution.error == BELOW_THRESHOLD:
        raise OperatorError(f"the execution failed: {cause}")
    if execution.status != "SUCCEEDED":
        raise OperatorError(f"the execution failed with {execution.error or execution.status}: {cause}")


if __name__ == "__main__":
    run_command(main, __doc__, options)
