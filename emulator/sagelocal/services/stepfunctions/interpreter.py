"""Enables moto's interpreter and directs its service calls to the emulator."""

import sys
from collections.abc import Callable
from typing import Any

from moto.core.config import default_user_config

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import replace

PACKAGE = "moto.stepfunctions.parser"


def install(emulator: Emulator) -> None:
    """Enable the interpreter, with clients that all threads share."""
    default_user_config["stepfunctions"]["execute_state_machine"] = True
    import moto.stepfunctions.parser.models  # noqa: F401  loads every module of the interpreter
    from moto.stepfunctions.parser.asl.utils import boto_client

    forget_threads()

    def boto_client_for(region: str, service: str, state_credentials: Any = None) -> Any:
        return emulator.client(service, region)

    replace_everywhere(
        boto_client.boto_client_for, boto_client_for, parameters=("region", "service", "state_credentials")
    )


class Forgetful(list[Any]):
    """A list that keeps nothing."""

    def append(self, item: Any) -> None:
        """Ignore an item."""


def forget_threads() -> None:
    """Let ended threads be released: the interpreter starts one or more for each state and keeps all in a list."""
    for path, module in list(sys.modules.items()):
        if path.startswith(PACKAGE) and hasattr(module, "TMP_THREADS"):
            vars(module)["TMP_THREADS"] = Forgetful()


def replace_everywhere(
    original: Callable[..., Any], function: Callable[..., Any], *, parameters: tuple[str, ...]
) -> None:
    """Replace a function of the interpreter in its own module and in every module that imports it by name."""
    name = original.__name__
    for path, module in list(sys.modules.items()):
        if path.startswith(PACKAGE) and getattr(module, name, None) is original:
            replace(module, name, function, parameters=parameters)
