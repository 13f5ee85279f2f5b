"""Patches that reduce moto's CPU time per request."""

import functools
import string
from typing import Any

import moto.core.responses
from moto.moto_api._internal.moto_random import MotoRandom

from sagelocal.core.patching import PATCHES, replace


def install() -> None:
    """Cache the operations of each service, and generate request ids faster."""

    @functools.cache
    def operations(clazz: Any, patches: int) -> list[str]:
        found: list[str] = original(clazz)
        return found

    # the key contains the number of patches, because a service that is installed later can add operations
    original = replace(
        moto.core.responses,
        "method_names_from_class",
        lambda clazz: operations(clazz, len(PATCHES)),
        parameters=("clazz",),
    )
    replace(
        MotoRandom,
        "get_random_string",
        _random_string,
        parameters=("length", "include_digits", "lower_case"),
    )


def _random_string(self: Any, length: int = 20, include_digits: bool = True, lower_case: bool = False) -> str:
    pool = string.ascii_letters + (string.digits if include_digits else "")
    text = "".join(self.choices(pool, k=length))
    return text.lower() if lower_case else text
