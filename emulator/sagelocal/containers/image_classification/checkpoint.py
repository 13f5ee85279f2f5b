"""What outlives a job that is interrupted: the training after its last whole epoch, and what the model's folder held.

AWS's image keeps checkpoints too, in files of its own:
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
    """Of one job.

    Attributes
    ----------
    folder : that SageMaker brings to S3 and back; nothing is kept where there is none
    model : what becomes the model's archive
    """

    folder: Path
    model: Path
    hyperparameters: Hyperparameters

    def save(self, state: dict[str, Any]) -> None:
        """Keep a state; whoever ends the job meanwhile leaves the one before."""
        if not self.folder.is_dir():
            return
        part = self.folder / f".{NAME}"
        files = {path.name: path.read_bytes() for path in self.model.iterdir()}
        torch.save({"hyperparameters": asdict(self.hyperparameters), "files": files, **state}, part)
        part.replace(self.folder / NAME)

    def load(self) -> dict[str, Any] | None:
        """The state that a job with the same hyperparameters kept, its model's files laid back; None without one."""
        path = self.folder / NAME
        if not path.is_file():
            return None
        state: dict[str, Any] = torch.load(path, weights_only=True)
        if state["hyperparameters"] != asdict(self.hyperparameters):
            return None
        for name, content in state["files"].items():
            (self.model / Path(name).name).write_bytes(content)
        return state
