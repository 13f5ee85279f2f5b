"""Combine all results in one page, `report.html`, which loads nothing else."""

from datetime import UTC, datetime

from common.files import write
from evaluation.report import read_results, render
from scripts.command import Environment, run_command

FILE = "report.html"


def main(environment: Environment) -> None:
    """Write the page and print its path.

    Raises
    ------
    StepMissingError
        There are no results, or a file is invalid.
    """
    directory = environment.directory
    page = render(read_results(directory), environment.name, written=datetime.now(UTC))
    path = directory / FILE
    write(path, page.encode())
    print(path.resolve())


if __name__ == "__main__":
    run_command(main, __doc__)
