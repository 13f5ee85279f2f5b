"""Pagination of list responses."""

from typing import Any

from moto.stepfunctions.exceptions import InvalidToken

PAGE_SIZE = 100


def page(response: Any, name: str, items: list[Any]) -> dict[str, Any]:
    """Return the response members for the page that a request selects with `maxResults` and `nextToken`.

    Parameters
    ----------
    response
        moto's response object, which contains the request's parameters.
    name
        Response member that contains the page.
    items
        Items of all pages.

    Raises
    ------
    moto.stepfunctions.exceptions.InvalidToken
        If the token is invalid.
    """
    token = response._get_param("nextToken") or "0"
    if not token.isdecimal():
        raise InvalidToken(f"'{token}'")
    start = int(token)
    end = start + (response._get_int_param("maxResults") or PAGE_SIZE)
    return {name: items[start:end]} | ({"nextToken": str(end)} if end < len(items) else {})
