"""Run commands in their own mount namespaces, in which a container's paths, such as /opt/ml, show local directories."""

import json
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

Mount = tuple[str, str, bool]  # source, target, whether it is read-only
ENTRY = Path(__file__).with_name("namespace_entry.py")
OPT = Path("/opt")


def command_prefix(mounts: Sequence[Mount]) -> list[str]:
    """Return the first arguments of a command that runs in a new namespace with these mounts.

    The caller appends the name of a Python module and its arguments, or `--` and a command.
    """
    return [sys.executable, "-S", str(ENTRY), json.dumps(mounts)]


def can_mount(mounts: Sequence[Mount]) -> bool:
    """Return whether this machine allows a namespace with these mounts."""
    # in "/", because the mounts may hide the working directory
    done = subprocess.run(command_prefix(mounts), cwd="/", stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0


@cache
def can_replace_opt() -> bool:
    """Return whether this machine allows namespaces in which another directory is mounted at /opt."""
    with TemporaryDirectory() as directory:
        return can_mount([(directory, str(OPT), False)])


def opt_with(name: str, source: Path, scratch: Path) -> list[Mount]:
    """Return mounts that show a directory as /opt/NAME and keep the other contents of /opt.

    Parameters
    ----------
    name
        Name of the directory in /opt.
    source
        Directory that is mounted at /opt/NAME.
    scratch
        Empty directory that is mounted at /opt.
    """
    mounts: list[Mount] = []
    for item in sorted(OPT.iterdir()):
        target = scratch / item.name
        if item.name == name:
            continue
        if item.is_symlink():
            target.symlink_to(item.readlink())
            continue
        if item.is_dir():
            target.mkdir()
        else:
            target.touch()
        mounts.append((str(item), str(target), False))
    (scratch / name).mkdir()
    return [*mounts, (str(source), str(scratch / name), False), (str(scratch), str(OPT), False)]
