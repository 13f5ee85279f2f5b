"""Patches that reduce moto's CPU time per request."""

import functools
import string
from collections.abc import Iterator
from typing import Any

import moto.core.responses
from moto.core.base_backend import BackendDict
from moto.core.request import EnvironHeaders
from moto.moto_api._internal.moto_random import MotoRandom

from sagelocal.core.patching import PATCHES, replace


def install() -> None:
    """Install the patches into moto."""

    @functools.cache
    def operations(clazz: Any, patches: int) -> list[str]:
        found: list[str] = original(clazz)
        return found

    # the cache key contains the number of patches, because a service that is installed later can add operations
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
    _cache_headers()
    _find_accounts_without_lock()


def _find_accounts_without_lock() -> None:
    """Acquire moto's global lock only to create an account's backend, and not to look up an existing backend.

    Every request looks up backends several times. With hundreds of running executions, most threads waited for the
    lock.
    """

    def create(self: Any, account_id: str) -> None:
        if not dict.__contains__(self, account_id):
            original(self, account_id)

    original = replace(BackendDict, "_create_account_specific_backend", create, parameters=("account_id",))


def _cache_headers() -> None:
    """Convert the headers of a request only once, because moto's S3 reads all of them about 50 times per request."""

    def iterate(self: Any) -> Iterator[tuple[str, str]]:
        size = len(self.environ)  # differs if headers were added; moto and Flask remove none
        if getattr(self, "cached_size", None) != size:
            self.cached, self.cached_size = list(original(self)), size
        return iter(self.cached)

    original = replace(EnvironHeaders, "__iter__", iterate)


def _random_string(self: Any, length: int = 20, include_digits: bool = True, lower_case: bool = False) -> str:
    pool = string.ascii_letters + (string.digits if include_digits else "")
    text = "".join(self.choices(pool, k=length))
    return text.lower() if lower_case else text
