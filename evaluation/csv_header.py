"""The header of a CSV file that a person or a spreadsheet wrote."""

import csv
import re
from collections.abc import Collection

DELIMITERS = (",", ";", "\t")  # spreadsheets of some countries write semicolons
LINE_BREAK = re.compile(r"\r\n|\n|\r")


class HeaderError(Exception):
    """A column that is read is in the header more than once."""


def parse_header(line: str, used: Collection[str]) -> tuple[list[str], str]:
    """Return the columns of a header in lower case, and the delimiter between them, which gives the most columns.

    Parameters
    ----------
    used : columns that are read; each may be in the header once, because the values of two may differ

    Raises
    ------
    HeaderError
        A column is in the header more than once.
    csv.Error
        The line is too long.
    """
    delimiter = max(DELIMITERS, key=lambda each: len(next(csv.reader([line], delimiter=each), [])))
    columns = [name.strip().lower() for name in next(csv.reader([line], delimiter=delimiter), [])]
    if repeated := [name for name in used if columns.count(name) > 1]:
        raise HeaderError(f"line 1 names the column {repeated[0]} {columns.count(repeated[0])} times: keep one of them")
    return columns, delimiter
