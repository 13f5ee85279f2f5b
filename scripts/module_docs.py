"""Generate the reference part of each Terraform module's README, or check that it is up to date."""

import argparse

from deployment.module_docs import modules, update_readme
from scripts.command.runner import run


def options(parser: argparse.ArgumentParser) -> None:
    """Add the option `--check`."""
    parser.add_argument("--check", action="store_true", help="write nothing, and fail if a README is out of date")


def main(arguments: argparse.Namespace) -> None:
    """Update or check the README of each module."""
    for module in modules():
        update_readme(module, check=arguments.check)


if __name__ == "__main__":
    run(main, __doc__, options)
