"""Run training jobs on synthetic images, in a folder with the layout of a training container."""

import io
import json
import os
import struct
import subprocess
import sys
import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from PIL import Image

CONTAINER = Path(__file__).resolve().parents[3] / "training" / "container"
SETTINGS: dict[str, Any] = {"classes": "light,dark", "pretrained": 0, "epochs": 1, "batch_size": 16}
PREDICT = """
import sys, inference
model = inference.model_fn("..")
with open(sys.argv[1], "rb") as image:
    print(inference.transform_fn(model, image.read(), "image/png", "application/json")[0])
"""


@dataclass(frozen=True)
class Job:
    """A training job.

    Attributes
    ----------
    folder : folder of the job's channels, model, output and checkpoints
    """

    folder: Path

    def run(self, **hyperparameters: object) -> list[dict[str, Any]]:
        """Run the job in this process and return the events of its log."""
        status, events = self._run(hyperparameters)
        assert status == 0, events
        return events

    def fail(self, **hyperparameters: object) -> list[dict[str, Any]]:
        """Run a job that must exit with status 1, and return the events of its log."""
        status, events = self._run(hyperparameters)
        assert status == 1
        return events

    def _run(self, hyperparameters: dict[str, object]) -> tuple[object, list[dict[str, Any]]]:
        from training.container.classifier.job import main

        output, status = io.StringIO(), 0
        with (
            patch.dict(os.environ, self.environment(**hyperparameters)),
            redirect_stdout(output),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # from the ONNX exporter
            try:
                main()
            except SystemExit as end:
                return end.code, read_events(output.getvalue())
        return status, read_events(output.getvalue())

    def environment(self, **hyperparameters: object) -> dict[str, str]:
        """Return the environment variables of the job's process."""
        channels = {
            f"SM_CHANNEL_{name.upper()}": str(self.folder / name)
            for name in ("train", "validation", "train_lst", "validation_lst", "pretrain")
            if (self.folder / name).is_dir()
        }
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return {
            **inherited,
            **channels,
            "SM_HPS": json.dumps(hyperparameters),
            "SM_MODEL_DIR": str(self.model),
            "SM_OUTPUT_DIR": str(self.folder / "output"),
            "SM_OUTPUT_DATA_DIR": str(self.output),
            "SM_CHECKPOINT_DIR": str(self.checkpoints),
        }

    @property
    def checkpoints(self) -> Path:
        """The checkpoint folder, which exists only for a job with a checkpoint location."""
        return self.folder / "checkpoints"

    @property
    def model(self) -> Path:
        """The folder that becomes model.tar.gz."""
        return self.folder / "model"

    @property
    def output(self) -> Path:
        """The folder that becomes output.tar.gz."""
        return self.folder / "output" / "data"

    @property
    def predictions(self) -> Path:
        """The file with the validation predictions."""
        return self.output / "validation.csv"

    @property
    def metrics(self) -> Any:
        """The content of metrics.json."""
        return json.loads((self.output / "metrics.json").read_text())

    @property
    def failure(self) -> str:
        """The failure reason that SageMaker would show."""
        return (self.folder / "output" / "failure").read_text()


def read_events(log: str) -> list[dict[str, Any]]:
    """Return the events of a training log, which are its lines in JSON."""
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


def names(events: list[dict[str, Any]]) -> list[str]:
    """Return the name of each event."""
    return [event["event"] for event in events]


def draw_job(folder: Path, *, train: int = 40, validation: int = 12) -> Job:
    """Return a job with `train` training images and `validation` validation images.

    The images are the same in every job with the same numbers of images.
    The last validation image has the name of a reviewed image.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draw_split(folder / "train", train, seed=1)
    draw_split(folder / "validation", validation, seed=2)
    rename_last(folder / "validation", "live-1.png")
    return Job(folder)


def draw_split(folder: Path, count: int, *, seed: int, size: tuple[int, int] = (32, 32)) -> None:
    """Write `count` images, light and dark in turn, into `folder`, and their manifest into `<folder>_lst`."""
    folder.mkdir()
    generator = np.random.default_rng(seed)
    lines = []
    for index in range(count):
        label = index % 2
        mean = 70 if label else 180
        pixels = np.clip(generator.normal(mean, 40, (size[1], size[0], 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"image_{index}.png")
        lines.append(f"{index}\t{label}\timage_{index}.png\n")
    write_manifest(folder, "".join(lines))


def write_manifest(folder: Path, content: str) -> None:
    """Write the manifest of the images in `folder` into its own channel, `<folder>_lst`."""
    manifests = folder.with_name(f"{folder.name}_lst")
    manifests.mkdir(exist_ok=True)
    (manifests / f"{folder.name}.lst").write_text(content)


def rename_last(folder: Path, name: str) -> None:
    """Rename the last image in `folder`, and its entry in the manifest."""
    manifest = folder.with_name(f"{folder.name}_lst") / f"{folder.name}.lst"
    beginning, _, last = manifest.read_text().rstrip("\n").rpartition("\t")
    (folder / last).rename(folder / name)
    manifest.write_text(f"{beginning}\t{name}\n")


def pack(folder: Path) -> None:
    """Replace the images in `folder` with one RecordIO shard."""
    manifest = folder.with_name(f"{folder.name}_lst") / f"{folder.name}.lst"
    records = []
    for line in manifest.read_text().splitlines():
        index, label, name = line.split("\t")
        records.append(record(int(index), float(label), (folder / name).read_bytes()))
        (folder / name).unlink()
    (folder / f"{folder.name}-00000.rec").write_bytes(b"".join(records))


def record(index: int, label: float, body: bytes, *, flag: int = 0, labels: int = 0) -> bytes:
    """Return one image as a RecordIO record.

    Parameters
    ----------
    body : content of the image file
    flag : part of a split record: 0 if the record is complete, 1 for the first part, 3 for the last
    labels : number of additional labels that the header announces
    """
    content = struct.pack("<IfQQ", labels, label, index, 0) + body
    return struct.pack("<II", 0xCED7230A, flag << 29 | len(content)) + content + bytes(-len(content) % 4)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    """Return the bytes of an image file in the format `kind`."""
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def predict_in_process(code: Path, image: Path) -> list[float]:
    """Return the class probabilities of an image.

    The model is loaded from the parent folder of `code`, in a process that can import only the modules in `code`.
    """
    result = subprocess.run(
        [sys.executable, "-c", PREDICT, str(image)],
        cwd=code,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    probabilities: list[float] = json.loads(result.stdout)
    return probabilities
