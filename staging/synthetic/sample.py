"""A set of vehicles that this project draws itself, in the official archive's own format.

It stands in for CIFAR-100 where that cannot be fetched: it shows that the workflow works, and says nothing
about photographs.
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
from tqdm import tqdm

from staging.errors import StagingError
from staging.names import COARSE_NAMES, FINE_NAMES
from staging.synthetic.scene import draw_vehicle
from staging.synthetic.vehicles import DRAWN

EDITION = 1  # raise it when the drawings change, so that an archive drawn before is not taken for today's
FOLDER = "cifar-100-python"
COARSE = {"bicycle": 18, "bus": 18, "motorcycle": 18, "pickup_truck": 18, "tractor": 19}


class NotDrawnError(StagingError):
    """There is no drawing of this class."""


def draw_archive(
    path: Path,
    *,
    seed: int = 0,
    classes: Sequence[str] = ("bicycle", "motorcycle"),
    train: int = 500,
    test: int = 100,
) -> Path:
    """Draw an archive of CIFAR-100's format; the same arguments give the same bytes.

    Parameters
    ----------
    path
        Where to; it is whole or not there.
    classes
        Fine classes out of those of `staging.synthetic.vehicles`, or coarse ones, for which all of theirs are drawn.
    train, test
        Rows of each fine class.

    Raises
    ------
    NotDrawnError
        None of a class is drawn.
    """
    drawn = drawings_of(classes)
    members = {
        "train": _rows("train", train, drawn, seed),
        "test": _rows("test", test, drawn, seed),
        "meta": {
            b"fine_label_names": [name.encode() for name in FINE_NAMES],
            b"coarse_label_names": [name.encode() for name in COARSE_NAMES],
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    _pack(part, members)
    return part.replace(path)


def drawings_of(classes: Sequence[str]) -> list[str]:
    """The drawn fine classes that these classes, fine or coarse, consist of.

    Raises
    ------
    NotDrawnError
        There is none of one of them.
    """
    drawn = []
    for name in classes:
        members = [fine for fine, label in COARSE.items() if name in (fine, COARSE_NAMES[label])]
        if not members:
            raise NotDrawnError(f"the sample has no drawing of {name}: it has {', '.join(DRAWN)}; name a SOURCE")
        drawn += members
    return list(dict.fromkeys(drawn))


def _rows(split: str, count: int, classes: Sequence[str], seed: int) -> dict[bytes, Any]:
    """One member's content: rows of all classes, mixed."""
    order = np.random.default_rng((seed, count)).permutation(count * len(classes))
    bar = tqdm(order.tolist(), desc=f"drawing {split}", unit="", disable=None)
    drawn = [_row(split, classes[position % len(classes)], position // len(classes), seed) for position in bar]
    names = [classes[position % len(classes)] for position in order.tolist()]
    return {
        b"filenames": [
            f"drawn_{name}_s_{position // len(classes):06d}.png".encode()
            for name, position in zip(names, order.tolist(), strict=True)
        ],
        b"batch_label": f"{split}ing batch 1 of 1".encode(),
        b"fine_labels": [FINE_NAMES.index(name) for name in names],
        b"coarse_labels": [COARSE[name] for name in names],
        b"data": np.stack(drawn),
    }


def _row(split: str, name: str, number: int, seed: int) -> NDArray[np.uint8]:
    """One image as CIFAR keeps it: all red values, all green, all blue."""
    rng = np.random.default_rng((seed, ("train", "test").index(split), FINE_NAMES.index(name), number))
    return draw_vehicle(name, rng).transpose(2, 0, 1).reshape(-1)


def _pack(path: Path, members: dict[str, dict[bytes, Any]]) -> None:
    # no times and no names: the same drawings give the same bytes
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
