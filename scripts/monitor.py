"""Read the predictions that the endpoint captured, plot their confidence, and show low-confidence images.

The command reads the captures of the deployed model from the last seven days. SINCE and UNTIL select another time
range: a duration such as 24h or 7d, or a time in UTC such as 2026-03-01 or 2026-03-01T12:00. MODEL selects another
version (3 or v3).
"""

import argparse
from collections.abc import Mapping

from common.files import RESULT_FILES, StepMissingError, explain_missing_result, write_json, write_problem
from evaluation.capture_location import read_captures
from evaluation.executions import Run, read_run
from evaluation.labelled_images import StagedDataError, read_test_images
from evaluation.monitoring import history_figures, labels_by_md5, monitor, summary, write_figures
from scripts.command.captures import check_model, find_location
from scripts.command.environment import Environment
from scripts.command.parser import add_model, add_time_range
from scripts.command.runner import run_command
from staging.manifest import ManifestMissingError


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the time range and the model's version."""
    add_time_range(parser)
    add_model(parser)


def main(environment: Environment) -> None:
    """Read the captures, draw the figures, write `monitoring.json` and print a summary.

    Raises
    ------
    OperatorError
        The time range is invalid, no model is deployed, the model was trained on other classes, or the time range has
        no captures of the model.
    """
    stack = environment.stack
    location = find_location(environment, environment.options.model) if stack.data_capture_enabled else None
    if location is None:
        problem = f"{stack.endpoint_name} captures no data (capture_percentage = 0): nothing to monitor"
        write_problem(environment.directory, "monitor", problem)
        print(problem)
        return
    # checked first, because read_captures may wait for minutes, and cannot read captures with other classes
    check_model(environment, location)
    print(f"records {environment.window} (SINCE, UNTIL select another time range)")
    path = environment.directory / RESULT_FILES["monitor"]
    with explain_missing_result(environment.directory, "monitor"):
        captures, other_records = read_captures(
            location,
            environment.window,
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
    write_json(path, monitoring)
    print("\n".join(summary(monitoring)))
    environment.append_history(
        "monitoring", history_figures(monitoring), model=location.model, window=environment.window
    )
    print(path)


def last_run(environment: Environment) -> Run | None:
    """Return the last run of the test images, or None if there was no run: monitoring does not require one."""
    try:
        return read_run(environment.directory)
    except StepMissingError:
        return None


def known_images(environment: Environment) -> Mapping[str, tuple[str, str]]:
    """Return the key and the class of each staged test image, by the image's MD5.

    If no usable test images are staged, the mapping is empty: monitoring does not require them.
    """
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
