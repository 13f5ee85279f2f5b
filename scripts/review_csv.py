"""Write the images to review into a folder and list them in a CSV file, or store the labels of such a file."""

import argparse
from pathlib import Path

from common.terminal import counted
from evaluation.review.answers import reviewer_name
from evaluation.review.csv_files import store_labels, write_queue
from scripts.command.environment import Environment
from scripts.command.runner import run_command


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options `--labels` and `--reviewer`."""
    parser.add_argument("--labels", default="", metavar="FILE", help="CSV file whose labels the command stores")
    parser.add_argument("--reviewer", default="", help="your name in the answers (default: the name in your AWS ARN)")


def main(environment: Environment) -> None:
    """Write the CSV file and the images, or store the labels of the file that `--labels` names.

    Raises
    ------
    LabelsError
        The file has invalid lines, or an earlier CSV file has labels that have not been stored.
    ReviewerError
        The reviewer's name is invalid.
    """
    store, options = environment.review_store, environment.options
    command = f"make review-csv ENV={environment.name}"
    if options.labels:
        reviewer = reviewer_name(options.reviewer, sts=environment.client("sts"))
        stored = store_labels(store, Path(options.labels), reviewer, command=command)
        print(f"stored labels: {stored.new}; images that already had an answer, which is kept: {stored.answered}")
        return
    path, images = write_queue(store, environment.directory / "review", command=command)
    print(f"{path}: {counted(images, 'image')}, in the folder beside this file")
    if images:
        print("write a class or `neither` into the column `label`, then run")
        print(f"  {command} LABELS={path}")


if __name__ == "__main__":
    run_command(main, __doc__, options)
