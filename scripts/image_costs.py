"""Print the costs of a million images with single executions and with batch executions."""

import argparse

from deployment.cost import read_prices
from deployment.image_costs import table
from scripts.command.runner import run


def main(options: argparse.Namespace) -> None:
    """Print the comparison."""
    print("\n".join(table(read_prices())))


if __name__ == "__main__":
    run(main, __doc__)
