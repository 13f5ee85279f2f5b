"""Enable moto's interpreter, and direct its service calls to the emulator."""

import sys
from collections.abc import Callable
from typing import Any

from moto.core.config import default_user_config

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import replace

PACKAGE = "moto.stepfunctions.parser"


def install(emulator: Emulator) -> None:
    """Enable the interpreter, and let all its threads share the emulator's boto3 clients."""
    default_user_config["stepfunctions"]["execute_state_machine"] = True
    import moto.stepfunctions.parser.models  # noqa: F401  loads every module of the interpreter
    from moto.stepfunctions.parser.asl.utils import boto_client

    release_ended_threads()

    def boto_client_for(region: str, service: str, state_credentials: Any = None) -> Any:
        return emulator.client(service, region)

    replace_everywhere(
        boto_client.boto_client_for, boto_client_for, parameters=("region", "service", "state_credentials")
    )


class DiscardingList(list[Any]):
    """A list that discards every item and stays empty."""

    def append(self, item: Any) -> None:
        """Discard an item."""


def release_ended_threads() -> None:
    """Release ended threads: the interpreter starts at least one thread for each state, and keeps all in lists."""
    for path, module in list(sys.modules.items()):
        if path.startswith(PACKAGE) and hasattr(module, "TMP_THREADS"):
            vars(module)["TMP_THREADS"] = DiscardingList()


def replace_everywhere(
    original: Callable[..., Any], function: Callable[..., Any], *, parameters: tuple[str, ...]
) -> None:
    """Replace a function of the interpreter in its own module and in every module that imports it by name."""
    name = original.__name__
    for path, module in list(sys.modules.items()):
        if path.startswith(PACKAGE) and getattr(module, name, None) is original:
            replace(module, name, function, parameters=parameters)
