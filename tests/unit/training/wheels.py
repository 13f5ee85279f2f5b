"""Wheels without modules, which pip can download."""

import re
import zipfile
from pathlib import Path

from tests.unit.container.jobs import CONTAINER


def write_wheels(folder: Path) -> Path:
    """Write a wheel for each of the containers' requirements, in the required version."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("requirements.txt", "serving-requirements.txt"):
        for name, version in re.findall(r"^([\w-]+)==([\d.]+)$", (CONTAINER / file).read_text(), re.M):
            write_wheel(folder, name.replace("-", "_"), version)
    return folder


def write_wheel(folder: Path, name: str, version: str) -> None:
    """Write a wheel without modules.

    Source: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    """
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
