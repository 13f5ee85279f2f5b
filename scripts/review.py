"""Show the images to review one at a time, on a web page that this machine serves, and store each answer in S3."""

import argparse

from evaluation.review.answers import reviewer_name
from evaluation.review.queue import Queue
from evaluation.review.server import Address, create_app, make_server
from scripts.command.environment import Environment
from scripts.command.runner import run_command


def options(parser: argparse.ArgumentParser) -> None:
    """Add the option `--reviewer`."""
    parser.add_argument("--reviewer", default="", help="your name in the answers (default: the name in your AWS ARN)")


def main(environment: Environment) -> None:
    """Serve the page until Ctrl-C.

    Raises
    ------
    ReviewerError
        The reviewer's name is invalid.
    """
    stack, address = environment.stack, Address()
    reviewer = reviewer_name(environment.options.reviewer, sts=environment.client("sts"))
    queue = Queue(environment.review_store, reviewer)
    app = create_app(queue, address, classes=stack.classes, environment=stack.environment)
    print(
        f"open {address.url}\nin a browser on this machine. Each answer is stored immediately; Ctrl-C ends the command",
        flush=True,
    )
    try:
        make_server(app).run(sockets=[address.socket])
    except KeyboardInterrupt:
        progress = queue.progress
        print(f"\nanswered: {progress.answered} of {progress.total} images, {queue.given} of them now by {reviewer}")


if __name__ == "__main__":
    run_command(main, __doc__, options)
