"""The Python runtime of a function: AWS's interface client and SDK, and nothing else of this virtual environment.

A function that imports a package which it did not bring along fails here as it does on AWS.
"""

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

PROVIDED = ("awslambdaric", "boto3")  # what AWS's own Python runtimes hold
STANDIN = Path(__file__).parent / "standin" / "runtime_client.py"


def lay_out(directory: Path) -> Path:
    """Fill a folder with links to what the runtime provides, for PYTHONPATH; the folder."""
    directory.mkdir(parents=True)
    for package in _with_requirements(PROVIDED):
        for name in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
            (directory / name).symlink_to(Path(str(package.locate_file(name))))
    if not list(directory.glob("runtime_client.*")):
        (directory / STANDIN.name).symlink_to(STANDIN)
    return directory


def importable(layer: Path) -> list[Path]:
    """Where an unpacked layer may hold Python packages."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [layer / "python", layer / "python" / "lib" / version / "site-packages"]


def command(handler: str) -> list[str]:
    """Argument vector of an execution environment: without site-packages (-S), they are not the function's."""
    return [sys.executable, "-S", "-m", "awslambdaric", handler]


def _with_requirements(names: tuple[str, ...]) -> list[Distribution]:
    found: dict[str, Distribution] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name.lower() in found:
            continue
        try:
            found[name.lower()] = distribution(name)
        except PackageNotFoundError:
            continue  # required on other platforms or Pythons only
        required = [text for text in found[name.lower()].requires or () if "extra ==" not in text]
        waiting += [re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in required]
    return list(found.values())
