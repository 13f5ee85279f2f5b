"""Options: a parser with errors of one line, types of numbers, and options that several commands share."""

import argparse
import math
import re
from collections.abc import Callable
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """A parser whose errors have one line and name an option as `make` does: `HOURS` instead of `--hours`."""

    def error(self, message: str) -> NoReturn:
        """Print an error and exit."""
        named = re.sub(r"^argument --([a-z]+):", lambda match: match[1].upper(), message)
        text = re.sub(r"invalid choice: (.*) \(choose from (.*)\)", r"must be one of \2 (got \1)", named)
        self.exit(2, f"error: {' '.join(text.split())}\n")


def whole_number(example: int, *, high: float = math.inf) -> Callable[[str], int]:
    """Return a parser of whole numbers from 1 to `high`, for the argument `type` of `add_argument`.

    Parameters
    ----------
    example : a valid number, for the error message
    """
    allowed = "of at least 1" if math.isinf(high) else f"between 1 and {high:g}"

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = 0
        if not 1 <= number <= high:
            raise argparse.ArgumentTypeError(f"must be a whole number {allowed}, such as {example} (got {text!r})")
        return number

    return parse


def proportion(example: float, *, below_one: bool = False) -> Callable[[str], float]:
    """Return a parser of numbers above 0 and at most 1, for the argument `type` of `add_argument`.

    Parameters
    ----------
    example : a valid number, for the error message
    below_one : whether the number 1 is invalid
    """
    allowed = f"above 0 and {'below' if below_one else 'at most'} 1"

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value <= 1 or (below_one and value == 1):
            raise argparse.ArgumentTypeError(f"must be a number {allowed}, such as {example:g} (got {text!r})")
        return value

    return parse


def add_time_range(parser: argparse.ArgumentParser) -> None:
    """Add the options `--since` and `--until`, from which `Environment.window` is read."""
    parser.add_argument("--since", default="", help="start of the time range, such as 24h or 2026-03-01 (default: 7d)")
    parser.add_argument("--until", default="", help="end of the time range, such as 2026-03-02T12:00 (default: now)")


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the option `--model`, the version of the model whose captures are read."""
    parser.add_argument("--model", default="", help="version of the model, such as 3 (default: the deployed model)")
