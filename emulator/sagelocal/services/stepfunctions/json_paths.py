"""JSONPath with AWS's semantics: a path that can match only one node returns its value, any other path a list."""

import re
from functools import lru_cache
from typing import Any

from jsonpath_ng.ext.parser import parse
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.utils import json_path

from sagelocal.core.patching import replace
from sagelocal.services.stepfunctions.interpreter import replace_everywhere

CACHE_SIZE = 4096
# a path that can match several nodes: with a wildcard, recursive descent, filter, slice or union
INDEFINITE = re.compile(r"\*|\.\.|\?\(|\[[^\]'\"]*[:,]")
ENDS_IN_INDEX = re.compile(r"\[\d+\]$")


def install() -> None:
    """Replace moto's evaluation, which returns a list for `$.a[0].b` and parses a path each time it is used."""
    replace(result_path, "parse", parsed, parameters=("string",))
    replace_everywhere(json_path.extract_json, extract, parameters=("path", "data"))


def extract(path: str, data: Any) -> Any:
    """Return the value or the list of values that a path matches in `data`.

    A path that can match several nodes returns a list, unless it ends with an index and matches one node.

    Raises
    ------
    moto.stepfunctions.parser.asl.utils.json_path.NoSuchJsonPathError
        If a path that can match only one node matches none.
    """
    values = [match.value for match in parsed(path).find(data)]
    if not INDEFINITE.search(path):
        if not values:
            raise json_path.NoSuchJsonPathError(json_path=path, data=data)
        return values[0]
    return values[0] if len(values) == 1 and ENDS_IN_INDEX.search(path) else values


@lru_cache(maxsize=CACHE_SIZE)
def parsed(path: str) -> Any:
    """Parse a path with jsonpath-ng, or return the cached result."""
    return parse(path)
