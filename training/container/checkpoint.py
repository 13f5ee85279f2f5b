"""What is kept of a training under way, so that a job that was killed goes on where it was."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

NAME = "training.pt"


def save(folder: Path, identity: Mapping[str, Any], state: dict[str, Any]) -> None:
    """Keep a state of the training that `identity` describes; a process that dies meanwhile leaves the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{NAME}"
    torch.save({"identity": dict(identity), **state}, unfinished)
    unfinished.replace(folder / NAME)


def load(folder: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """The state that was kept of the same training; None where there is none.

    A checkpoint comes from outside: nothing in it is executed.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        print(f"the checkpoint {path.name} cannot be read, and training begins anew: {reason}", flush=True)
        return None
    if state.pop("identity", None) != identity:
        print(f"the checkpoint {path.name} is of other settings or hosts, and training begins anew", flush=True)
        return None
    return state
