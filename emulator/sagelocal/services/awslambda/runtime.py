"""The Python runtime of functions, which contains only AWS's runtime interface client and boto3.

As on AWS, a function cannot import any other package that its code and its layers do not contain.
"""

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

PROVIDED = ("awslambdaric", "boto3")  # packages that AWS's Python runtimes contain
FALLBACK_CLIENT = Path(__file__).parent / "fallback" / "runtime_client.py"


def create_runtime(directory: Path) -> Path:
    """Create a directory for PYTHONPATH that has links to the runtime's packages, and return the directory."""
    directory.mkdir(parents=True)
    for package in _with_requirements(PROVIDED):
        for name in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
            (directory / name).symlink_to(Path(str(package.locate_file(name))))
    if not list(directory.glob("runtime_client.*")):
        (directory / FALLBACK_CLIENT.name).symlink_to(FALLBACK_CLIENT)
    return directory


def import_paths(layer: Path) -> list[Path]:
    """Return the directories of an unpacked layer that are on a function's import path."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [layer / "python", layer / "python" / "lib" / version / "site-packages"]


def module_arguments(handler: str) -> list[str]:
    """Return the name of the module that runs a handler, followed by the module's arguments.

    Run the module with `python -S`, which excludes the emulator's site-packages.
    """
    return ["awslambdaric", handler]


def _with_requirements(names: tuple[str, ...]) -> list[Distribution]:
    found: dict[str, Distribution] = {}
    pending = list(names)
    while pending:
        name = pending.pop()
        if name.lower() in found:
            continue
        try:
            found[name.lower()] = distribution(name)
        except PackageNotFoundError:
            continue  # a requirement only of other platforms or other versions of Python
        requirements = [text for text in found[name.lower()].requires or () if "extra ==" not in text]
        pending += [re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in requirements]
    return list(found.values())
