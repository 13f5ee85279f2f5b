"""Copy the project as a new clone, without the files that git ignores."""

import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[2]


def copy_project(directory: Path) -> Path:
    """Copy all files that git does not ignore to `directory`, and return `directory`."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for line in listing.splitlines():
        source, target = ROOT / line, directory / line
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return directory


def unique(prefix: str) -> str:
    """Return a prefix with a random suffix, so that no other test uses the name."""
    return f"{prefix}-{uuid4().hex[:8]}"
