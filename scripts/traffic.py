"""Upload images as drivers' apps do, wait for the result of each image, and write `traffic.json` and `traffic.png`.

The images are test images, some noise, and some unreadable files. With RATE and SECONDS, the images arrive as a Poisson
process. With BURST, all images are uploaded at once. Calls with the same SEED upload the same images of the same
drivers at the same times.

SHIFT changes the test images to simulate other conditions: `night`, `blur` or `camera`. With SHIFT, odd seeds upload
one half of the test images and even seeds the other half, so that a model that is retrained on one half can be
evaluated on the other. The true labels are written to `traffic-labels.csv`. LABELLED=1 also uploads them as a label
file.
"""

import argparse
import math
from datetime import UTC, datetime
from typing import Any

from botocore.config import Config

from common import aws
from common.errors import OperatorError
from common.files import replace_figures, write, write_json
from common.terminal import counted
from evaluation import figures
from evaluation.executions import require_endpoint
from evaluation.labelled_images import read_test_images
from evaluation.shifts import SHIFTS, shift_image
from evaluation.traffic import UPLOAD_THREADS, Target, Traffic, drive, sample_images
from evaluation.traffic_arrivals import Arrival, burst_arrivals, poisson_arrivals
from evaluation.traffic_report import draw, find_problems, labels_csv, summary, to_json
from scripts.command.environment import Environment
from scripts.command.parser import whole_number
from scripts.command.runner import run_command

MAX_IMAGES = 100_000
RATE, SECONDS, SEED = 5.0, 60.0, 1
CLIENT_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 5}, max_pool_connections=UPLOAD_THREADS)


class TrafficError(OperatorError):
    """The options or the environment do not allow simulated traffic, or an image was lost or has two results."""


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options that describe the uploads."""
    parser.add_argument("--rate", type=positive, help=f"images per second (default: {RATE:g})")
    parser.add_argument("--seconds", type=positive, help=f"duration of the uploads (default: {SECONDS:g})")
    parser.add_argument("--burst", type=whole_number(500, high=MAX_IMAGES), help="number of images to upload at once")
    parser.add_argument("--seed", type=whole_number(SEED), default=SEED, help=f"random seed (default: {SEED})")
    parser.add_argument("--shift", choices=SHIFTS, help="change the test images to simulate other conditions")
    parser.add_argument("--labelled", action="store_true", help="upload the true labels as a label file")


def positive(text: str) -> float:
    """Parse a finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, such as 5 (got {text!r})")
    return number


def main(environment: Environment) -> None:
    """Upload images, wait for the result of each image, write the results and print a summary.

    Raises
    ------
    OperatorError
        The environment is protected, no images are staged, or no endpoint is deployed. An image has no result or more
        than one: in this case, the results are written first.
    KeyboardInterrupt
        The command was interrupted. The results up to the interruption are written.
    """
    settings, arrivals = plan(environment.options)
    check_environment(environment)
    stack = environment.stack
    s3 = aws.client("s3", stack.region, config=CLIENT_CONFIG)
    dynamodb, states = environment.client("dynamodb"), environment.client("stepfunctions")
    labels, images = read_images(environment, s3=s3)
    target = Target(
        bucket=stack.bucket,
        prefix=stack.incoming_prefix,
        vehicles_table=stack.vehicles_table,
        drivers_table=stack.drivers_table,
        review_prefix=stack.review_prefix,
        state_machine_arn=stack.state_machine_arn,
    )
    traffic = drive(arrivals, images, target, s3=s3, dynamodb=dynamodb, states=states)
    problems = [] if traffic.interruption else find_problems(traffic, target, s3=s3, dynamodb=dynamodb)
    write_json(environment.directory / "traffic.json", to_json(traffic, problems, settings))
    print("\n".join(summary(traffic, problems)))
    print(environment.directory / "traffic.json")
    write_labels(environment, traffic, labels, s3=s3)
    drawn = {"traffic.png": figures.as_png(lambda theme: draw(theme, traffic))} if traffic.uploads else {}
    replace_figures(environment.directory, "traffic", drawn)
    if drawn:
        print(environment.directory / "traffic.png")
    if isinstance(traffic.interruption, KeyboardInterrupt):
        raise KeyboardInterrupt("the workflow continues with the uploaded images")
    if traffic.interruption:
        raise traffic.interruption
    if problems:
        raise TrafficError(f"{counted(len(problems), 'problem')} (see traffic.json); the first is: {problems[0]}")


def check_environment(environment: Environment) -> None:
    """Check that simulated traffic is allowed and an endpoint is deployed.

    Raises
    ------
    OperatorError
        The environment is protected, or no endpoint is deployed.
    """
    stack = environment.stack
    if stack.protected:
        raise TrafficError(
            f"{environment.name} is protected (protected = true), and simulated drivers would appear on record: "
            "run `make traffic ENV=local` or `make traffic ENV=dev`"
        )
    require_endpoint(
        stack.endpoint_name,
        stack.endpoint_config_name,
        environment=environment.name,
        sagemaker=environment.client("sagemaker"),
    )


def read_images(environment: Environment, *, s3: Any) -> tuple[list[str], list[bytes]]:
    """Return the classes and the contents of the test images to upload; SHIFT changes the contents."""
    stack, shift, seed = environment.stack, environment.options.shift, environment.options.seed
    numbers = read_test_images(stack.bucket, classes=stack.classes, environment=environment.name, s3=s3).labels
    keys = sorted(numbers)[seed % 2 :: 2] if shift else sorted(numbers)
    images = sample_images(stack.bucket, keys, seed=seed, s3=s3)
    bodies = [shift_image(body, shift) if shift else body for body in images.values()]
    return [stack.classes[numbers[key]] for key in images], bodies


def write_labels(environment: Environment, traffic: Traffic, labels: list[str], *, s3: Any) -> None:
    """Write the true labels of the uploads, and upload them if LABELLED=1."""
    body = labels_csv(traffic, labels).encode()
    write(environment.directory / "traffic-labels.csv", body)
    if environment.options.labelled:
        stack = environment.stack
        key = f"{stack.labels_prefix}/traffic-{datetime.fromtimestamp(traffic.started, UTC):%Y%m%dT%H%M%S}.csv"
        s3.put_object(Bucket=stack.bucket, Key=key, Body=body, ContentType="text/csv")
        print(f"s3://{stack.bucket}/{key}")


def plan(arguments: argparse.Namespace) -> tuple[dict[str, float | None], list[Arrival]]:
    """Return the settings and the arrivals that the options describe.

    Raises
    ------
    TrafficError
        The options contradict each other, or describe no images or too many.
    """
    if arguments.burst:
        if arguments.rate or arguments.seconds:
            raise TrafficError("BURST uploads all images at once: set either BURST, or RATE and SECONDS")
        settings = {"burst": arguments.burst, "rate": None, "seconds": None, "seed": arguments.seed}
        return settings, burst_arrivals(arguments.burst, seed=arguments.seed)
    rate, seconds = arguments.rate or RATE, arguments.seconds or SECONDS
    if rate * seconds > MAX_IMAGES:
        raise TrafficError(f"RATE times SECONDS must be at most {MAX_IMAGES} images (got {rate * seconds:g})")
    arrivals = poisson_arrivals(rate, seconds, seed=arguments.seed)
    if not arrivals:
        raise TrafficError(f"no image arrives in {seconds:g} s at {rate:g} images per second: increase RATE or SECONDS")
    return {"burst": None, "rate": rate, "seconds": seconds, "seed": arguments.seed}, arrivals


if __name__ == "__main__":
    run_command(main, __doc__, options)
