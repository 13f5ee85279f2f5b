"""Format proportions, intervals and times for the report."""

import re
from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup, escape

from common.times import format_utc


def interval_short(value: Sequence[float] | None) -> str:
    """Format an interval of proportions without the confidence level."""
    return "" if value is None else f"{value[0]:.1%} to {value[1]:.1%}"


def interval(value: Sequence[float] | None) -> str:
    """Format a 95 % interval of proportions."""
    return "" if value is None else f"{interval_short(value)} (95 %)"


def format_time(text: str) -> str:
    """Format a time in ISO 8601 as UTC, to the second."""
    return f"{format_utc(datetime.fromisoformat(text))} UTC"


def format_usd(value: float) -> str:
    """Format an amount in US dollars with two decimals; an amount below one cent is shown as "< 0.01".

    Examples
    --------
    >>> format_usd(1.234), format_usd(0.001), format_usd(0)
    ('1.23', '< 0.01', '0.00')
    """
    return "< 0.01" if 0 < value < 0.01 else f"{value:.2f}"


def joined(clauses: Sequence[str]) -> str:
    """Join clauses with commas and "and".

    Examples
    --------
    >>> joined(["a", "b", "c"]), joined(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join([", ".join(clauses[:-1]), clauses[-1]] if len(clauses) > 1 else clauses)


def sentence(text: str) -> str:
    """Return a clause as a sentence.

    Examples
    --------
    >>> sentence("no image is labelled"), sentence("Done.")
    ('No image is labelled.', 'Done.')
    """
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."


def with_code(text: str) -> Markup:
    """Return a message as HTML. Text between backticks, such as a command, becomes a `<code>` element.

    Examples
    --------
    >>> str(with_code("a < b: run `make up`"))
    'a &lt; b: run <code>make up</code>'
    """
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  (escaped)
