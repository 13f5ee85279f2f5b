"""Read a folder of images with one sub-folder per class, and assign each image to a split by a hash of its pixels."""

import contextlib
import difflib
import hashlib
import os
import stat
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from common.terminal import counted, progress_bar
from staging.checksum import file_md5
from staging.errors import StagingError
from staging.images import SIDE, SPLITS, Images, Selection, digest, fraction, make_images, safe_name
from training.container.classifier.images import FORMATS, ImageError, decode_image

TEST_FRACTION, VALIDATION_FRACTION = 0.2, 0.1  # fractions of all images
MAX_BYTES = 100 * 2**20  # maximum size of an image file
MAX_PIXELS = Image.MAX_IMAGE_PIXELS or 0  # maximum pixels of an image; above it, Pillow warns of a decompression bomb
THREADS = 4  # threads that decode images; each holds one decoded image in memory
MAX_NAMES_SHOWN = 10


def read_folder(folder: Path, *, classes: Sequence[str], seed: int = 0, other_classes: bool = False) -> Selection:
    """Return the images of a folder, and print which files and sub-folders are left out.

    An image's split depends only on `seed` and a hash of the image's pixels. Images that are added to the folder later
    therefore never change the splits of earlier images, and copies of an image are always in the same split.

    Parameters
    ----------
    folder : folder that has a sub-folder of JPEG and PNG files for each class; symbolic links and files in deeper
        folders are left out
    classes : names of two or more sub-folders; a class's number is its position in this list
    seed : seed of the hash that decides an image's split
    other_classes : whether to also return the images in the sub-folders of other classes, for pretraining

    Raises
    ------
    StagingError
        The folder cannot be read, or a class has no sub-folder or too few images.
    """
    folders = class_folders(folder)
    _require_folders(folder, folders, classes)
    others = sorted(set(folders) - set(classes))
    if other_classes and not others:
        raise StagingError(f"{folder} has no sub-folders of other classes to pretrain on: omit PRETRAIN")
    if others and not other_classes:
        _print_names(f"{counted(len(others), 'sub-folder')} left out, not in the setting `classes`", others)
    files = [
        (number, path)
        for number, name in enumerate((*classes, *(others if other_classes else ())))
        for path in _files(folders[name])
    ]
    images, problems = _decode_all(files, folder)
    _print_names(f"{counted(len(problems), 'file')} left out", problems)
    is_chosen = images.labels < len(classes)
    digests = [digest(pixels) for pixels in images.pixels]
    split_names = np.array([_split_of(seed, each) for each in digests], dtype=str)
    splits = {split: images.select(is_chosen & (split_names == split)) for split in SPLITS}
    _require_images(folder, classes, splits)
    print(f"images: {', '.join(f'{split} {len(images)}' for split, images in splits.items())}")
    if not other_classes:
        return Selection(tuple(classes), seed, splits)
    pretraining = images.select(~is_chosen)
    _, renumbered = np.unique(pretraining.labels, return_inverse=True)
    return Selection(
        tuple(classes), seed, splits, Images(pretraining.names, renumbered.astype(np.int64), pretraining.pixels)
    )


def folder_md5(folder: Path) -> str:
    """Return an MD5 of the names and contents of all files in the sub-folders, in hexadecimal.

    Raises
    ------
    StagingError
        The folder cannot be read.
    """
    hashed = hashlib.md5(usedforsecurity=False)
    for path in (path for sub_folder in sorted(class_folders(folder).values()) for path in _files(sub_folder)):
        hashed.update(os.fsencode(path.relative_to(folder)) + b"\0")
        with contextlib.suppress(OSError):  # `read_folder` reports a file that cannot be read
            if _is_regular(path):
                hashed.update(file_md5(path).encode())
    return hashed.hexdigest()


def class_folders(folder: Path) -> dict[str, Path]:
    """Return the path of each sub-folder by name; symbolic links are left out.

    Raises
    ------
    StagingError
        The folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            return {each.name: folder / each.name for each in entries if each.is_dir(follow_symlinks=False)}
    except OSError as error:
        raise StagingError(f"{folder} cannot be read: {error.strerror}") from error


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise StagingError(f"{folder} cannot be read: {error.strerror}") from error


def _is_regular(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def _require_folders(folder: Path, folders: Mapping[str, Path], classes: Sequence[str]) -> None:
    for name in classes:
        if name not in folders:
            similar = difflib.get_close_matches(name, folders, n=1)
            existing = (
                f"the most similar is {similar[0]!r}" if similar else f"it has {', '.join(sorted(folders)) or 'none'}"
            )
            raise StagingError(
                f"{folder} has no sub-folder for the class {name}; {printable(existing[:200])}: create it, or change "
                "the setting `classes`"
            )


def _require_images(folder: Path, classes: Sequence[str], splits: Mapping[str, Images]) -> None:
    for number, name in enumerate(classes):
        for split, images in splits.items():
            if number not in images.labels:
                count = sum(Counter(each.labels.tolist())[number] for each in splits.values())
                raise StagingError(
                    f"{folder / name} has {counted(count, 'different image')}, of which none is in the {split} split: "
                    "add images (50 are usually enough for all three splits)"
                )


def _decode_all(files: Sequence[tuple[int, Path]], folder: Path) -> tuple[Images, list[str]]:
    """Return the distinct images in the order of their digests, and a line for each file that is left out."""
    with ThreadPoolExecutor(THREADS) as pool:
        decoded = pool.map(lambda file: _decode(file[1]), files)
        results = list(progress_bar(decoded, total=len(files), desc="reading images", unit=""))
    problems = []
    found: defaultdict[str, list[tuple[int, Path, NDArray[np.uint8]]]] = defaultdict(list)
    for (number, path), result in zip(files, results, strict=True):
        if isinstance(result, str):
            problems.append(f"{path.relative_to(folder)}: {result}")
        else:
            found[digest(result)].append((number, path, result))
    chosen = []
    for key, copies in sorted(found.items()):
        first = copies[0][1].relative_to(folder)
        if len({number for number, _, _ in copies}) > 1:
            problems += [f"{path.relative_to(folder)}: the same image is in another class" for _, path, _ in copies]
            continue
        problems += [f"{path.relative_to(folder)}: the same image as {first}" for _, path, _ in copies[1:]]
        chosen.append((key, *copies[0]))
    names = [f"{safe_name(path.stem).removesuffix('.png')}-{key[:16]}.png" for key, _, path, _ in chosen]
    images = make_images(names, [number for _, number, _, _ in chosen], [pixels for _, _, _, pixels in chosen])
    return images, problems


def _decode(path: Path) -> NDArray[np.uint8] | str:
    """Return an image's pixels, decoded as for inference, or the reason why the file cannot be read."""
    try:
        if not _is_regular(path):
            if path.is_symlink():
                return "a symbolic link"
            return "a folder" if path.is_dir() else "not a regular file"
        if path.stat().st_size > MAX_BYTES:
            return f"it has more than {MAX_BYTES >> 20} MiB"
        return decode_image(path.read_bytes(), FORMATS, SIDE, max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS)
    except ImageError as error:
        return str(error)
    except OSError as error:
        return f"it cannot be read ({error.strerror})"


def _split_of(seed: int, image_digest: str) -> str:
    number = fraction(str(seed), image_digest)
    if number < TEST_FRACTION:
        return "test"
    return "validation" if number < TEST_FRACTION + VALIDATION_FRACTION else "train"


def _print_names(title: str, names: Sequence[str]) -> None:
    """Print a title and the first names, in which unprintable characters are replaced."""
    if names:
        print(f"{title}:")
        print("\n".join(f"  {printable(name)}" for name in names[:MAX_NAMES_SHOWN]))
        if len(names) > MAX_NAMES_SHOWN:
            print(f"  and {len(names) - MAX_NAMES_SHOWN} more")


def printable(name: str) -> str:
    """Return a file name on one line, with a question mark for each character that cannot be printed.

    Examples
    --------
    >>> printable("vélo\\n\\udcff.png")
    'vélo??.png'
    """
    return "".join(character if character.isprintable() else "?" for character in name)
