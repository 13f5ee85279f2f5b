"""Follow an environment in the terminal until Ctrl-C: endpoint, executions, alarms, open reviews and drift.

In a terminal, the current status replaces the previous one. If the output is not a terminal, each status is appended as
a block of lines.
"""

import argparse
import contextlib

from common.terminal import own_interrupts
from deployment.live_status import StatusReader
from deployment.live_view import follow, make_console
from scripts.command.environment import Environment
from scripts.command.parser import whole_number
from scripts.command.runner import run_command

INTERVAL = 5


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options `--interval` and `--once`."""
    parser.add_argument(
        "--interval",
        type=whole_number(INTERVAL),
        default=INTERVAL,
        help=f"seconds between two refreshes (default: {INTERVAL})",
    )
    parser.add_argument("--once", action="store_true", help="print the status once")


def main(environment: Environment) -> None:
    """Show the status until the command is interrupted."""
    reader = StatusReader(environment.stack, environment.client)
    with own_interrupts(), contextlib.suppress(KeyboardInterrupt):  # Ctrl-C is the way to end this command
        follow(reader.read, make_console(), interval=environment.options.interval, once=environment.options.once)


if __name__ == "__main__":
    run_command(main, __doc__, options)
