"""The paths of a container below `/opt/ml`, in the folder that a job has instead."""

from pathlib import Path

CONTAINER_ROOT = "/opt/ml"
SCRIPTS = {".py", ".sh"}


def localize(text: str, root: Path) -> str:
    """Replace `/opt/ml` in a text with a folder."""
    return text.replace(CONTAINER_ROOT, str(root))


def localize_scripts(folder: Path, root: Path) -> None:
    """Replace `/opt/ml` in the scripts of a folder with another folder."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in SCRIPTS and path.is_file():
            # as bytes, because a script need not be UTF-8
            path.write_bytes(path.read_bytes().replace(CONTAINER_ROOT.encode(), str(root).encode()))
