"""Mount namespaces, which give each execution environment its own /tmp and /opt.

As on AWS, environments share no files: /tmp is private, and /opt has the files of the function's layers.
Sources: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html
"""

import json
import os
import subprocess
import sys
from pathlib import Path

TMP, OPT = Path("/tmp"), Path("/opt")  # noqa: S108 (the directory that is replaced)
ENTRY = Path(__file__).with_name("namespace_entry.py")
WARNING = (
    "warning: this machine does not allow mount namespaces, so Lambda functions share /tmp, and each function runs one "
    "invocation at a time; layers are on the import path but not in /opt. On Ubuntu, allow them with "
    "`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`, and restart the emulator"
)


def entry(*, tmp: Path, opt: Path, kept: list[Path]) -> list[str]:
    """Return the command that runs a Python module with the directories `tmp` at /tmp and `opt` at /opt.

    Parameters
    ----------
    kept
        Directories that the module needs. Those in /tmp or /opt stay at their paths, read-only.
    """
    outermost = {path for path in kept if not set(path.parents) & set(kept)}
    mounts: list[tuple[str, str, bool]] = []
    for directory, private in ((TMP, tmp), (OPT, opt)):
        for path in sorted(path for path in outermost if directory in path.parents):
            target = private / path.relative_to(directory)
            target.mkdir(parents=True, exist_ok=True)
            mounts.append((str(path), str(target), True))
    # /tmp is last, because it may hide the other sources
    mounts += [(str(opt), str(OPT), True), (str(tmp), str(TMP), False)]
    return [sys.executable, "-S", str(ENTRY), json.dumps(mounts)]


def are_allowed(directory: Path) -> bool:
    """Return whether this machine allows the namespaces, and print a warning if not.

    Parameters
    ----------
    directory
        An empty directory for the attempt.
    """
    command = entry(tmp=directory, opt=directory, kept=[])
    # in "/", because the emulator's working directory may be in /tmp, which the attempt hides
    done = subprocess.run(command, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        print(WARNING, file=sys.stderr, flush=True)
    return done.returncode == 0


def interpreter_directories() -> list[Path]:
    """Return the directories of the Python interpreter and of the packages that the runtime links to."""
    sources = {sys.prefix, sys.base_prefix, os.path.realpath(sys.executable + "/../.."), str(Path(__file__).parents[3])}
    return [Path(source) for source in sorted(sources)]
