"""Replaces `/opt/ml`, the root of a container's paths, with the folder that a job uses instead."""

from pathlib import Path

CONTAINER_ROOT = "/opt/ml"
SCRIPTS = {".py", ".sh"}


def localize(text: str, root: Path) -> str:
    """Return a text in which `/opt/ml` is replaced with the path `root`."""
    return text.replace(CONTAINER_ROOT, str(root))


def localize_scripts(folder: Path, root: Path) -> None:
    """Replace `/opt/ml` with the path `root` in all Python and shell scripts below `folder`."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in SCRIPTS and path.is_file():
            # as bytes, because a script need not be encoded in UTF-8
            path.write_bytes(path.read_bytes().replace(CONTAINER_ROOT.encode(), str(root).encode()))
