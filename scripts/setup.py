"""Find a Terraform program that is new enough, or download one into `.tools/`."""

import argparse

from deployment.tools import ensure_terraform
from scripts.command.runner import run


def main(_: argparse.Namespace) -> None:
    """Print the path of the Terraform program."""
    print(f"Terraform: {ensure_terraform()}")


if __name__ == "__main__":
    run(main, __doc__)
