"""Show an execution of a state machine with its states, payloads and errors, in the terminal and as an HTML page.

ID is an execution's ARN or name. The default is the latest execution.
"""

import argparse
import sys
from datetime import UTC, datetime

from common.files import write
from evaluation.execution_details import read_execution
from evaluation.execution_page import render
from evaluation.execution_text import describe_lines
from scripts.command.environment import Environment
from scripts.command.runner import run_command

FILE = "execution.html"


def options(parser: argparse.ArgumentParser) -> None:
    """Add the option `--id`."""
    parser.add_argument("--id", default="", help="an execution's ARN or name (default: the latest one)")


def main(environment: Environment) -> None:
    """Print the execution, write the HTML page and print the page's path.

    Raises
    ------
    OperatorError
        The execution does not exist.
    """
    stack = environment.stack
    states = environment.client("stepfunctions")
    execution = read_execution(
        environment.options.id, [stack.state_machine_arn, stack.batch_state_machine_arn], states=states
    )
    page = render(
        execution, environment.name, threshold=stack.threshold, written=datetime.now(UTC), s3=environment.client("s3")
    )
    path = environment.directory / FILE
    write(path, page.encode(errors="replace"))
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a payload may contain any character
    print("\n".join(describe_lines(execution, threshold=stack.threshold)))
    print(path.resolve())


if __name__ == "__main__":
    run_command(main, __doc__, options)
