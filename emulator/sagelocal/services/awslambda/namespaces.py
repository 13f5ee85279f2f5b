"""Mount namespaces, which give each execution environment its own /tmp and /opt.

As on AWS, environments share no files: /tmp is private, and /opt has the files of the function's layers.
Sources: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html
"""

import os
import sys
from pathlib import Path

from sagelocal.core import mounts
from sagelocal.core.mounts import Mount

TMP, OPT = Path("/tmp"), Path("/opt")  # noqa: S108 (the directory that is replaced)
WARNING = (
    "warning: this machine does not allow mount namespaces, so Lambda functions share /tmp, and each function runs one "
    "invocation at a time; layers are on the import path but not in /opt. On Ubuntu, allow them with "
    "`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`, and restart the emulator"
)


def command_prefix(*, tmp: Path, opt: Path, kept: list[Path]) -> list[str]:
    """Return the start of a command that runs a Python module with `tmp` mounted at /tmp and `opt` at /opt.

    The caller appends the module's name and arguments.

    Parameters
    ----------
    kept
        Directories that the module needs. Directories below /tmp or /opt are mounted read-only at their own paths.
    """
    return mounts.command_prefix(_mounts(tmp, opt, kept))


def _mounts(tmp: Path, opt: Path, kept: list[Path]) -> list[Mount]:
    outermost = {path for path in kept if not set(path.parents) & set(kept)}
    kept_mounts: list[Mount] = []
    for directory, private in ((TMP, tmp), (OPT, opt)):
        for path in sorted(path for path in outermost if directory in path.parents):
            target = private / path.relative_to(directory)
            target.mkdir(parents=True, exist_ok=True)
            kept_mounts.append((str(path), str(target), True))
    # mount /tmp last, because it may hide the source directories of the other mounts
    return [*kept_mounts, (str(opt), str(OPT), True), (str(tmp), str(TMP), False)]


def are_allowed(directory: Path) -> bool:
    """Return whether this machine allows mount namespaces, and print a warning if it does not.

    Parameters
    ----------
    directory
        An empty directory, which is mounted at /tmp and /opt for the test.
    """
    allowed = mounts.can_mount(_mounts(directory, directory, []))
    if not allowed:
        print(WARNING, file=sys.stderr, flush=True)
    return allowed


def interpreter_directories() -> list[Path]:
    """Return the directories of the Python interpreter and of the packages that the Lambda runtime links to."""
    sources = {sys.prefix, sys.base_prefix, os.path.realpath(sys.executable + "/../.."), str(Path(__file__).parents[3])}
    return [Path(source) for source in sorted(sources)]
