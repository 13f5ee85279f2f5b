"""The packages that containers need beside what AWS's images have, for those that are cut off from any network.

Fetched where there is a network, put into the bucket, and handed to the job as a channel; the job puts those that its
model needs beside the code that serves it.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

from training.algorithms import CONTAINER

CHANNEL = "packages"
REQUIREMENTS = {"training": "requirements.txt", "serving": "serving/requirements.txt"}
# AWS's images of PyTorch 2.6: https://aws.github.io/deep-learning-containers/reference/available_images/
PYTHON = "3.12"
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


class PackagesError(Exception):
    """They cannot be fetched."""


def environment(folder: str) -> dict[str, str]:
    """What has pip in a container look into a folder, and nowhere else.

    Source: https://pip.pypa.io/en/stable/topics/configuration/#environment-variables
    """
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": folder}


TRAINING = environment(f"/opt/ml/input/data/{CHANNEL}/training")
SERVING = environment(f"/opt/ml/model/code/{CHANNEL}")


def fetch(directory: Path) -> list[Path]:
    """Have pip fetch the wheels for AWS's images; what is there already is kept.

    Parameters
    ----------
    directory : with a folder for training and one for serving

    Returns
    -------
    list of Path
        All wheels there.

    Raises
    ------
    PackagesError
        pip refuses; the message is its last line.
    """
    platforms = [argument for platform in PLATFORMS for argument in ("--platform", platform)]
    for part, requirements in REQUIREMENTS.items():
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
            *("--implementation", "cp", "--python-version", PYTHON, *platforms),
            *("--find-links", str(directory / part), "--dest", str(directory / part)),
            *("--requirement", str(CONTAINER / requirements)),
        ]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            said = answer.stderr.strip().splitlines() or ["pip says nothing"]
            raise PackagesError(
                f"the packages for containers without a network cannot be fetched: {said[-1]} "
                f"(or put the wheels for Python {PYTHON} into {directory / part}, and set PIP_NO_INDEX=1)"
            )
    return sorted(directory.glob("*/*.whl"))


def put(directory: Path, bucket: str, *, s3: Any) -> None:
    """Bring the wheels to the bucket, but for those that are there."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{CHANNEL}/")
    there = {each["Key"]: each["Size"] for page in pages for each in page.get("Contents", ())}
    for path in fetch(directory):
        key = f"{CHANNEL}/{path.relative_to(directory).as_posix()}"
        if there.get(key) != path.stat().st_size:
            s3.upload_file(str(path), bucket, key)
