"""Evaluate the last run on the test images: accuracy, confusion matrix, coverage at the threshold, calibration."""

import argparse

from common.files import RESULT_FILES, write_json
from evaluation.evaluate import check_run_is_current, evaluate, summary
from evaluation.executions import read_run
from evaluation.labelled_images import read_test_images
from scripts.command.environment import Environment
from scripts.command.parser import proportion
from scripts.command.runner import run_command


def options(parser: argparse.ArgumentParser) -> None:
    """Add the option `--precision`."""
    parser.add_argument(
        "--precision", type=proportion(0.98), help="also find the smallest threshold with this precision, e.g. 0.98"
    )


def main(environment: Environment) -> None:
    """Evaluate the last run, write `evaluation.json` and print a summary.

    Raises
    ------
    OperatorError
        There is no run, its model, settings or images differ from the current ones, or it has no predictions.
    """
    stack = environment.stack
    run = read_run(environment.directory)
    images = read_test_images(
        stack.bucket, classes=stack.classes, environment=environment.name, s3=environment.client("s3")
    )
    check_run_is_current(
        run,
        endpoint_config=stack.endpoint_config_name,
        state_machine_arn=stack.state_machine_arn,
        threshold=stack.threshold,
        classes=stack.classes,
        images=images.fingerprint,
        environment=environment.name,
    )
    evaluation = evaluate(run, images.labels, precision=environment.options.precision)
    path = environment.directory / RESULT_FILES["evaluate"]
    write_json(path, evaluation)
    print("\n".join(summary(evaluation, environment.name)))
    print(path)


if __name__ == "__main__":
    run_command(main, __doc__, options)
