"""Draw a synthetic sample: an archive of vehicles in CIFAR-100's format.

The sample replaces CIFAR-100 if CIFAR-100 cannot be downloaded. The sample shows that the workflow works, but the
accuracy on the sample does not predict the accuracy on photographs.
"""

import gzip
import io
import pickle
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.terminal import progress_bar
from staging.errors import StagingError
from staging.names import COARSE_NAMES, FINE_NAMES
from staging.synthetic.scene import draw_vehicle
from staging.synthetic.vehicles import VEHICLES

VERSION = 1  # part of the file name: increase it when the drawings change, so that an older file is not reused
FOLDER = "cifar-100-python"
# CIFAR-100's coarse label of each class that the project can draw
COARSE_LABELS = {"bicycle": 18, "bus": 18, "motorcycle": 18, "pickup_truck": 18, "tractor": 19}


def draw_archive(
    path: Path,
    *,
    seed: int = 0,
    classes: Sequence[str] = ("bicycle", "motorcycle"),
    train: int = 500,
    test: int = 100,
) -> Path:
    """Draw an archive in CIFAR-100's format and return its path; the same arguments give the same bytes.

    Parameters
    ----------
    path : path of the archive, which is written completely or not at all
    seed : random seed of the drawings
    classes : fine classes in `VEHICLES`, or coarse classes, which are drawn as all of their fine classes in `VEHICLES`
    train, test : number of images of each fine class

    Raises
    ------
    StagingError
        The project cannot draw one of the classes.
    """
    names = drawable_classes(classes)
    members = {
        "train": _split("train", train, names, seed),
        "test": _split("test", test, names, seed),
        "meta": {
            b"fine_label_names": [name.encode() for name in FINE_NAMES],
            b"coarse_label_names": [name.encode() for name in COARSE_NAMES],
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    _pack(part, members)
    return part.replace(path)


def drawable_classes(classes: Sequence[str]) -> list[str]:
    """Return the fine classes to draw for these fine or coarse classes.

    Raises
    ------
    StagingError
        The project cannot draw one of the classes.
    """
    names = []
    for name in classes:
        members = [fine for fine, label in COARSE_LABELS.items() if name in (fine, COARSE_NAMES[label])]
        if not members:
            drawable = ", ".join(VEHICLES)
            raise StagingError(
                f"the synthetic sample has no class {name}, only {drawable}: set SOURCE to an archive's path or URL"
            )
        names += members
    return list(dict.fromkeys(names))


def _split(split: str, count: int, classes: Sequence[str], seed: int) -> dict[bytes, Any]:
    """Return the content of the archive member `train` or `test`: `count` images of each class in random order."""
    order = np.random.default_rng((seed, count)).permutation(count * len(classes)).tolist()
    names = [classes[position % len(classes)] for position in order]
    numbers = [position // len(classes) for position in order]
    bar = progress_bar(zip(names, numbers, strict=True), total=len(order), desc=f"drawing {split}", unit="")
    images = [_draw(split, name, number, seed) for name, number in bar]
    return {
        b"filenames": [
            f"drawn_{name}_s_{number:06d}.png".encode() for name, number in zip(names, numbers, strict=True)
        ],
        b"batch_label": f"{split}ing batch 1 of 1".encode(),
        b"fine_labels": [FINE_NAMES.index(name) for name in names],
        b"coarse_labels": [COARSE_LABELS[name] for name in names],
        b"data": np.stack(images),
    }


def _draw(split: str, name: str, number: int, seed: int) -> NDArray[np.uint8]:
    """Return one image in CIFAR's layout: all red values, then all green, then all blue."""
    rng = np.random.default_rng((seed, ("train", "test").index(split), FINE_NAMES.index(name), number))
    return draw_vehicle(name, rng).transpose(2, 0, 1).reshape(-1)


def _pack(path: Path, members: dict[str, dict[bytes, Any]]) -> None:
    # the headers contain no timestamps and file names, so that the same drawings give the same bytes
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, content in members.items():
            pickled = pickle.dumps(content, protocol=2)
            entry = tarfile.TarInfo(f"{FOLDER}/{name}")
            entry.size = len(pickled)
            archive.addfile(entry, io.BytesIO(pickled))
