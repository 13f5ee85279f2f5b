"""What is kept of a training under way, so that a job that was killed goes on where it was."""

import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from settings import Settings

NAME = "training.pt"


def save(folder: Path, settings: Settings, state: dict[str, Any]) -> None:
    """Keep a state; a process that dies meanwhile leaves the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{NAME}"
    torch.save({"settings": asdict(settings), **state}, unfinished)
    unfinished.replace(folder / NAME)


def load(folder: Path, settings: Settings) -> dict[str, Any] | None:
    """The state that was kept under the same settings; None where there is none.

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
    if state.pop("settings", None) != asdict(settings):
        print(f"the checkpoint {path.name} has other settings, and training begins anew", flush=True)
        return None
    return state
