"""Select captured images for review: all low-confidence images, and a random audit sample of all images."""

import argparse

from common.errors import OperatorError
from evaluation.captures import stream_records
from evaluation.review.selection import AUDIT_RATE, describe, select
from scripts.command.captures import check_model, find_location
from scripts.command.environment import Environment
from scripts.command.parser import add_time_range, proportion
from scripts.command.runner import run_command


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the time range and the rate of the audit sample."""
    add_time_range(parser)
    parser.add_argument(
        "--audit",
        type=proportion(AUDIT_RATE),
        default=AUDIT_RATE,
        help=f"share of images in the audit sample, raised if it selects fewer than 100 (default: {AUDIT_RATE})",
    )


def main(environment: Environment) -> None:
    """Add the selected images to the review, and print their number.

    Raises
    ------
    OperatorError
        No model is deployed, the model was trained on other classes, the endpoint captures no data, or the time range
        is invalid or has no captures.
    """
    stack, options = environment.stack, environment.options
    window = environment.window
    location = find_location(environment) if stack.data_capture_enabled else None
    if location is None:
        raise OperatorError(
            f"{stack.endpoint_name} captures no data: set capture_percentage in "
            f"terraform/environments/{environment.name}.tfvars, then run `make deploy ENV={environment.name}`"
        )
    check_model(environment, location)
    s3 = environment.client("s3")
    selection = select(
        lambda: stream_records(location.uri, location.endpoint, window, classes=len(stack.classes), s3=s3),
        environment.review_store,
        model=location.model,
        threshold=stack.threshold,
        requested_rate=options.audit,
    )
    if not selection.low + selection.high:
        malformed = f", only {selection.malformed} malformed lines" if selection.malformed else ""
        raise OperatorError(f"no records of model {location.model} {window}{malformed}: choose another SINCE")
    print(f"model {location.model}, {window}")
    print("\n".join(describe(selection)))
    print(f"`make review ENV={environment.name}` shows the images")


if __name__ == "__main__":
    run_command(main, __doc__, options)
