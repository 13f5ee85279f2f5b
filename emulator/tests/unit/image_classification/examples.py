"""Creates small images, channels and training jobs for the tests."""

import io
import json
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sagelocal.containers.image_classification.hyperparameters import Hyperparameters, parse

CLASSES = 2
SMALL_JOB = {
    "num_classes": str(CLASSES),
    "num_training_samples": "8",
    "num_layers": "20",
    "image_shape": "3,16,16",
    "mini_batch_size": "4",
    "epochs": "2",
}


def hyperparameters(**given: str) -> Hyperparameters:
    """Return the parsed hyperparameters of a small training job.

    given : hyperparameters that differ from or are not in SMALL_JOB
    """
    return parse({**SMALL_JOB, **given})


def png(label: int, *, width: int = 16, height: int = 16) -> bytes:
    """Return a PNG image in which the color channel with the number `label` is the brightest."""
    image = np.full((height, width, 3), 40, dtype=np.uint8)
    image[:, :, label] = 200
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def record(content: bytes) -> bytes:
    """Return a RecordIO record that contains `content`."""
    return struct.pack("<II", 0xCED7230A, len(content)) + content + bytes(-len(content) % 4)


def image_record(label: float, content: bytes, *, row: int = 0) -> bytes:
    """Return a RecordIO record with an image, in the format of MXNet's tool im2rec.

    content : bytes of the image file
    row     : ID of the image
    """
    return record(struct.pack("<IfQQ", 0, label, row, 0) + content)


def write_images(data: Path, split: str, count: int) -> None:
    """Write `count` images of alternating classes to the channel `split`, and their list to `<split>_lst`."""
    names = [f"{row}.png" for row in range(count)]
    for row, name in enumerate(names):
        write(data / split / name, png(row % CLASSES))
    write_list(data, split, (f"{row}\t{row % CLASSES}\t{name}" for row, name in enumerate(names)))


def write_list(data: Path, split: str, lines: Iterable[str]) -> None:
    """Write the image list of the channel `split`."""
    write(data / f"{split}_lst" / f"{split}.lst", "".join(f"{line}\n" for line in lines).encode())


def write(path: Path, content: bytes) -> None:
    """Write a file and create its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def channel(content_type: str | None = "application/x-image", mode: str = "File") -> dict[str, str]:
    """Return the configuration of a channel in the format of `inputdataconfig.json`."""
    config = {"TrainingInputMode": mode, "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
    return {**config, "ContentType": content_type} if content_type else config


IMAGE_CHANNELS = {name: channel() for name in ("train", "validation", "train_lst", "validation_lst")}
RECORD_CHANNELS = {name: channel("application/x-recordio") for name in ("train", "validation")}


class Job:
    """The folders and environment variables of a training job, with 8 training images and 4 validation images."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        for folder in ("config", "model", "output"):
            (root / folder).mkdir()
        for variable, path in (
            ("SM_INPUT_CONFIG_DIR", "config"),
            ("SM_INPUT_DATA_DIR", "data"),
            ("SM_MODEL_DIR", "model"),
            ("SM_OUTPUT_FAILURE", "output/failure"),
            ("SM_CHECKPOINT_DIR", "checkpoints"),
        ):
            monkeypatch.setenv(variable, str(root / path))
        write_images(root / "data", "train", 8)
        write_images(root / "data", "validation", 4)
        self.configure()

    def configure(
        self,
        *,
        given: Mapping[str, str] | None = None,
        channels: Mapping[str, Mapping[str, str]] | None = None,
        instance_type: str = "ml.g4dn.xlarge",
        hosts: int = 1,
    ) -> None:
        """Write the configuration files that SageMaker passes to the container.

        given    : hyperparameters that differ from or are not in SMALL_JOB
        channels : channel configurations by name; by default IMAGE_CHANNELS
        hosts    : number of instances
        """
        names = [f"algo-{number}" for number in range(1, hosts + 1)]
        for name, content in (
            ("hyperparameters", {**SMALL_JOB, **(given or {})}),
            ("inputdataconfig", channels or IMAGE_CHANNELS),
            ("resourceconfig", {"current_instance_type": instance_type, "current_host": names[0], "hosts": names}),
        ):
            (self.root / "config" / f"{name}.json").write_text(json.dumps(content))

    @property
    def failure(self) -> str:
        """The content of the failure file."""
        return (self.root / "output" / "failure").read_text()

    @property
    def model_files(self) -> list[str]:
        """The sorted names of the files in the model folder."""
        return sorted(path.name for path in (self.root / "model").iterdir())
