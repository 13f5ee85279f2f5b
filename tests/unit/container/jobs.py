"""A training job's folder, filled with drawn images, and the process that works in it."""

import io
import json
import os
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

CONTAINER = Path(__file__).resolve().parents[3] / "training" / "container"


@dataclass(frozen=True)
class Job:
    """One job in a folder laid out as a container's."""

    folder: Path

    def run(self, **hyperparameters: object) -> "subprocess.CompletedProcess[str]":
        """Run train.py to its end."""
        return subprocess.run(
            [sys.executable, str(CONTAINER / "train.py"), "--epochs", "1"],  # the SDK repeats hyperparameters here
            env=self.environment(**hyperparameters),
            capture_output=True,
            text=True,
            timeout=300,
        )

    def environment(self, **hyperparameters: object) -> dict[str, str]:
        """The variables of its process."""
        channels = {
            f"SM_CHANNEL_{name.upper()}": str(self.folder / name)
            for name in ("train", "validation", "train_lst", "validation_lst", "pretrain")
            if (self.folder / name).is_dir()
        }
        return {
            **os.environ,
            **channels,
            "SM_HPS": json.dumps(hyperparameters),
            "SM_MODEL_DIR": str(self.model),
            "SM_OUTPUT_DIR": str(self.folder / "output"),
            "SM_OUTPUT_DATA_DIR": str(self.folder / "output" / "data"),
            "SM_CHECKPOINT_DIR": str(self.checkpoints),
        }

    @property
    def checkpoints(self) -> Path:
        """What outlives a process that was killed, where there is such a folder."""
        return self.folder / "checkpoints"

    @property
    def model(self) -> Path:
        """What becomes model.tar.gz."""
        return self.folder / "model"

    @property
    def failure(self) -> str:
        """The reason that SageMaker would show."""
        return (self.folder / "output" / "failure").read_text()


def draw_split(folder: Path, count: int, *, seed: int, size: tuple[int, int] = (32, 32)) -> None:
    """Light and dark images in turn in `folder`, and their manifest in `<folder>_lst`."""
    folder.mkdir()
    generator = np.random.default_rng(seed)
    lines = []
    for row in range(count):
        label = row % 2
        centre = 70 if label else 180
        pixels = np.clip(generator.normal(centre, 40, (size[1], size[0], 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"image_{row}.png")
        lines.append(f"{row}\t{label}\timage_{row}.png\n")
    write_manifest(folder, "".join(lines))


def write_manifest(folder: Path, content: str) -> None:
    """The manifest of the images in `folder`, in its own channel."""
    manifests = folder.with_name(f"{folder.name}_lst")
    manifests.mkdir(exist_ok=True)
    (manifests / f"{folder.name}.lst").write_text(content)


def pack(folder: Path) -> None:
    """Make the images in `folder` one RecordIO shard, which needs no manifest."""
    manifest = folder.with_name(f"{folder.name}_lst") / f"{folder.name}.lst"
    records = []
    for line in manifest.read_text().splitlines():
        row, label, name = line.split("\t")
        records.append(record(int(row), float(label), (folder / name).read_bytes()))
        (folder / name).unlink()
    (folder / f"{folder.name}-00000.rec").write_bytes(b"".join(records))


def record(row: int, label: float, body: bytes, *, flag: int = 0, labels: int = 0) -> bytes:
    """One image as RecordIO has it."""
    content = struct.pack("<IfQQ", labels, label, row, 0) + body
    return struct.pack("<II", 0xCED7230A, flag << 29 | len(content)) + content + bytes(-len(content) % 4)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    """An image file's bytes."""
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()
