"""Shorten the inputs and outputs of states, which have up to 256 KiB, for the terminal and for HTML pages."""

import json
from collections.abc import Iterator
from typing import Any

from common.terminal import counted

MAX_STRING = 300  # maximum length of a string in a payload, in characters
MAX_ITEMS = 200  # maximum number of items of a list or an object in a payload
MAX_DEPTH = 12
MAX_TEXT = 8000  # maximum length of a payload on a page, in characters


def parse_payload(text: str | None) -> Any:
    """Return the shortened JSON value of a payload, the shortened text if it is not JSON, or None without a payload."""
    if text is None:
        return None
    try:
        return shorten(json.loads(text))
    except (ValueError, RecursionError):
        return shorten(text)


def shorten(value: Any, depth: int = 0) -> Any:
    """Return a JSON value with long strings, lists and objects truncated; a note gives the size of the rest."""
    if isinstance(value, str):
        return value if len(value) <= MAX_STRING else f"{value[:MAX_STRING]}… ({len(value):,} characters)"
    if not isinstance(value, dict | list):
        return value
    if depth == MAX_DEPTH:
        return f"… ({counted(len(value), 'item')})"
    more = len(value) - MAX_ITEMS
    if isinstance(value, list):
        return [shorten(each, depth + 1) for each in value[:MAX_ITEMS]] + ([f"… ({more} more)"] if more > 0 else [])
    kept = {name: shorten(value[name], depth + 1) for name in list(value)[:MAX_ITEMS]}
    return {**kept, "…": f"{more} more"} if more > 0 else kept


def format_line(value: Any, width: int) -> str:
    """Return a payload in one line of at most `width` characters.

    Examples
    --------
    >>> format_line({"s3_key": "test/a.png", "inferences": []}, 30)
    '{"s3_key": "test/a.png", "inf…'
    """
    text = printable(json.dumps(_without_long_strings(value, width // 3), ensure_ascii=False))
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _without_long_strings(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= limit else f"{value[: limit - 1]}…"
    if isinstance(value, list):
        return [_without_long_strings(each, limit) for each in value]
    if isinstance(value, dict):
        return {name: _without_long_strings(each, limit) for name, each in value.items()}
    return value


def format_block(value: Any) -> str:
    """Return a payload as indented JSON, truncated after `MAX_TEXT` characters."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}\n… ({len(text):,} characters)"


def printable(text: str) -> str:
    """Return a text with a question mark for each control character, which could change the terminal's state."""
    return "".join(character if character.isprintable() else "?" for character in text)


def find_values(value: Any, name: str) -> Iterator[Any]:
    """Yield all non-empty values of fields with the name `name`, at any depth of a JSON value."""
    if isinstance(value, dict):
        if value.get(name):
            yield value[name]
        for each in value.values():
            yield from find_values(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from find_values(each, name)
