"""Provide the Python packages that AWS's images lack to containers that cannot use a package index.

The operator's machine downloads the wheels of these packages and uploads them to the bucket. A training job receives
the wheels in an input channel, and copies the wheels for serving into model.tar.gz.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

from common.errors import OperatorError
from common.s3 import list_objects
from training.algorithms import CONTAINER

CHANNEL = "packages"
REQUIREMENTS = {"training": "requirements.txt", "serving": "serving-requirements.txt"}
# Python versions of AWS's images, which the image tags in terraform/modules/training/main.tf contain
PYTHON = {"training": "3.13", "serving": "3.12"}
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def pip_environment(folder: str) -> dict[str, str]:
    """Return the environment variables that make pip in a container install packages only from `folder`.

    Source: https://pip.pypa.io/en/stable/topics/configuration/#environment-variables
    """
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": folder}


TRAINING = pip_environment(f"/opt/ml/input/data/{CHANNEL}/training")
SERVING = pip_environment(f"/opt/ml/model/code/{CHANNEL}")


def download(directory: Path) -> list[Path]:
    """Download the wheels for AWS's images, and skip wheels that are already in the directory.

    Parameters
    ----------
    directory : directory in which the folders `training` and `serving` are created

    Returns
    -------
    list of Path
        Paths of all wheels in both folders.

    Raises
    ------
    OperatorError
        pip failed; the message contains the last line of its error output.
    """
    platforms = [argument for platform in PLATFORMS for argument in ("--platform", platform)]
    for purpose, requirements in REQUIREMENTS.items():
        folder = directory / purpose
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
            *("--implementation", "cp", "--python-version", PYTHON[purpose], *platforms),
            *("--find-links", str(folder), "--dest", str(folder)),
            *("--requirement", str(CONTAINER / requirements)),
        ]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            lines = result.stderr.strip().splitlines() or ["pip printed nothing"]
            raise OperatorError(
                f"cannot download the packages of the {purpose} container: {lines[-1]} "
                f"(without an index, put the wheels for Python {PYTHON[purpose]} into {folder} and set PIP_NO_INDEX=1)"
            )
    return sorted(directory.glob("*/*.whl"))


def upload(directory: Path, bucket: str, prefix: str, *, s3: Any) -> None:
    """Download the wheels, and upload each wheel that does not exist below the key prefix with the same size."""
    sizes = {each["Key"]: each["Size"] for each in list_objects(bucket, f"{prefix}/", s3=s3)}
    for path in download(directory):
        key = f"{prefix}/{path.relative_to(directory).as_posix()}"
        if sizes.get(key) != path.stat().st_size:
            s3.upload_file(str(path), bucket, key)
