"""Extend the endpoint's lifetime by HOURS."""

import argparse

from deployment.endpoint_lifetime import MAXIMUM_EXTENSION
from scripts.command.environment import Environment
from scripts.command.parser import whole_number
from scripts.command.runner import run_command


def options(parser: argparse.ArgumentParser) -> None:
    """Add the option `--hours`."""
    parser.add_argument(
        "--hours",
        type=whole_number(4, high=MAXIMUM_EXTENSION),
        required=True,
        help=f"hours to add, between 1 and {MAXIMUM_EXTENSION}",
    )


def main(environment: Environment) -> None:
    """Extend the endpoint's lifetime, and print the new end."""
    lifetime = environment.endpoint_lifetime
    lifetime.extend(environment.options.hours)
    print(lifetime.describe())


if __name__ == "__main__":
    run_command(main, __doc__, options)
