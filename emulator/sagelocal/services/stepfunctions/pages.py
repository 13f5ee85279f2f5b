"""Lists in pages, as AWS gives them."""

from typing import Any

from moto.stepfunctions.exceptions import InvalidToken

PAGE = 100


def page(response: Any, name: str, items: list[Any]) -> dict[str, Any]:
    """The page of `items` that a request's `maxResults` and `nextToken` ask for.

    Raises
    ------
    moto.stepfunctions.exceptions.InvalidToken
        If the token is none that was given out.
    """
    token = response._get_param("nextToken") or "0"
    if not token.isdecimal():
        raise InvalidToken(f"'{token}'")
    start = int(token)
    end = start + (response._get_int_param("maxResults") or PAGE)
    return {name: items[start:end]} | ({"nextToken": str(end)} if end < len(items) else {})
