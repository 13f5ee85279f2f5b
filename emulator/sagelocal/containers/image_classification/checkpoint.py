"""Checkpoints: the training state after the last complete epoch, from which a restarted job continues.

AWS's image writes checkpoints in a different format:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-checkpoints.html
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from sagelocal.containers.image_classification.hyperparameters import Hyperparameters

NAME = "image-classification.state"


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one training job.

    Attributes
    ----------
    folder : checkpoint folder, which SageMaker synchronizes with S3; if it does not exist, nothing is saved
    model : model folder, whose files are part of a checkpoint
    hyperparameters : hyperparameters of the job; a checkpoint with different hyperparameters is ignored
    """

    folder: Path
    model: Path
    hyperparameters: Hyperparameters

    def save(self, state: dict[str, Any]) -> None:
        """Write a checkpoint atomically, so that an interruption leaves the previous checkpoint intact."""
        if not self.folder.is_dir():
            return
        part = self.folder / f".{NAME}"
        files = {path.name: path.read_bytes() for path in self.model.iterdir()}
        torch.save({"hyperparameters": asdict(self.hyperparameters), "files": files, **state}, part)
        part.replace(self.folder / NAME)

    def load(self) -> dict[str, Any] | None:
        """Restore the model's files and return the state, or return None if no checkpoint has these hyperparameters."""
        path = self.folder / NAME
        if not path.is_file():
            return None
        state: dict[str, Any] = torch.load(path, weights_only=True)
        if state["hyperparameters"] != asdict(self.hyperparameters):
            return None
        for name, content in state["files"].items():
            (self.model / Path(name).name).write_bytes(content)
        return state
