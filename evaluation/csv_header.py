"""The header of a CSV file that a person or a spreadsheet wrote."""

import csv
import re
from collections.abc import Collection

DELIMITERS = (",", ";", "\t")  # in some countries, spreadsheet programs write semicolons
LINE_BREAK = re.compile(r"\r\n|\n|\r")


class HeaderError(Exception):
    """A column that the caller reads occurs more than once in the header."""


def parse_header(line: str, used: Collection[str]) -> tuple[list[str], str]:
    """Return the names of the columns in lower case, and the delimiter.

    The delimiter is the one of `DELIMITERS` that divides the line into the most columns.

    Parameters
    ----------
    used : columns that the caller reads; each must occur at most once, because two columns could have different values

    Raises
    ------
    HeaderError
        A column of `used` occurs more than once.
    csv.Error
        The line is too long.
    """
    delimiter = max(DELIMITERS, key=lambda each: len(next(csv.reader([line], delimiter=each), [])))
    columns = [name.strip().lower() for name in next(csv.reader([line], delimiter=delimiter), [])]
    if repeated := [name for name in used if columns.count(name) > 1]:
        raise HeaderError(f"line 1 names the column {repeated[0]} {columns.count(repeated[0])} times: keep one of them")
    return columns, delimiter
