"""Read the predictions that the endpoint captured, plot their confidence, and show low-confidence images.

The records of the model in use are shown; MODEL selects another one by its version (3 or v3).
"""

import argparse
from collections.abc import Mapping

from common.files import RESULT_FILES, StepMissingError, write_json
from evaluation.capture_location import CaptureLocation, find_captures, read_captures
from evaluation.executions import Run, read_run
from evaluation.labelled_images import StagedDataError, read_test_images
from evaluation.monitoring import labels_by_md5, monitor, summary, write_figures
from scripts.command import Environment, run_command
from staging import ManifestMissingError


def options(parser: argparse.ArgumentParser) -> None:
    """Add the model's version."""
    parser.add_argument("--model", default="", help="version of the model, such as 3 (default: the model in use)")


def main(environment: Environment) -> None:
    """Read the captures, draw both figures, write `monitoring.json` and print a summary.

    Raises
    ------
    OperatorError
        No model is deployed, or there are no records of the model.
    """
    stack = environment.stack
    location = find_location(environment) if stack.data_capture_enabled else None
    if location is None:
        print(f"{stack.endpoint_name} captures no data (capture_percentage = 0): nothing to monitor")
        return
    captures, other_records = read_captures(
        location,
        classes=len(stack.classes),
        run=last_run(environment),
        environment=environment.name,
        s3=environment.client("s3"),
    )
    monitoring = monitor(
        captures,
        location,
        other_records=other_records,
        threshold=stack.threshold,
        classes=stack.classes,
        known=known_images(environment),
    )
    write_figures(monitoring, environment.directory)
    path = environment.directory / RESULT_FILES["monitor"]
    write_json(path, monitoring)
    print("\n".join(summary(monitoring)))
    print(path)


def find_location(environment: Environment) -> CaptureLocation | None:
    """Return where the captures of the chosen model are, or None if the endpoint captures nothing."""
    stack, model = environment.stack, environment.options.model
    location = find_captures(
        stack.endpoint_name,
        stack.endpoint_config_name,
        stack.data_capture_uri,
        environment=environment.name,
        sagemaker=environment.client("sagemaker"),
    )
    return location.of_model(model) if location and model else location


def last_run(environment: Environment) -> Run | None:
    """Return the last run, or None: live traffic can be monitored without one."""
    try:
        return read_run(environment.directory)
    except StepMissingError:
        return None


def known_images(environment: Environment) -> Mapping[str, tuple[str, str]]:
    """Return key and class of the staged test images by MD5; live traffic can be monitored without them."""
    stack = environment.stack
    try:
        images = read_test_images(
            stack.bucket, classes=stack.classes, environment=environment.name, s3=environment.client("s3")
        )
    except (ManifestMissingError, StagedDataError):
        return {}
    return labels_by_md5(images)


if __name__ == "__main__":
    run_command(main, __doc__, options)
