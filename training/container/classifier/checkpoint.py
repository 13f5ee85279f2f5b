"""Save and load checkpoints, from which a job resumes an interrupted training."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from .events import log_event

NAME = "training.pt"


def save(folder: Path, identity: Mapping[str, Any], state: dict[str, Any]) -> None:
    """Write the checkpoint of the training that `identity` describes; an interrupted write keeps the old file."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{NAME}"
    torch.save({"identity": dict(identity), **state}, partial)
    partial.replace(folder / NAME)


def load(folder: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the checkpoint of the training that `identity` describes, or None if there is no usable checkpoint.

    A checkpoint is untrusted input, so it is loaded without executing code. If a checkpoint exists but cannot be used,
    an event in the log says why.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        cause = (str(error).splitlines() or [type(error).__name__])[0]
        log_event("checkpoint_ignored", file=NAME, reason=f"it cannot be read: {cause}")
        return None
    if state.pop("identity", None) != identity:
        log_event("checkpoint_ignored", file=NAME, reason="it has other hyperparameters or another number of processes")
        return None
    return state
