"""Start a Python module or a command in a new mount namespace. This file runs as a script.

The script makes the system calls itself. The programs `unshare` and `mount` would need a process for each mount, which
would double the start time of a Lambda execution environment. For a fast start, the script also imports no module that
loads slowly, such as pathlib.

Arguments: the mounts as JSON, [[source, target, read_only], ...], and then, optionally, either the module and its
arguments, or `--` and the command.
"""

import ctypes
import json
import os
import runpy
import sys

NOT_EXECUTABLE = 127  # a shell's exit status for a command that cannot be found
# Constants of linux/sched.h and linux/mount.h
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18


def _unshare(libc: ctypes.CDLL) -> None:
    """Enter a new mount namespace; a user without the permission for this also enters a new user namespace."""
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWNS) == 0:
        return
    _check(libc.unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123
            file.write(text)


def _mount(libc: ctypes.CDLL, source: str, target: str, flags: int) -> None:
    _check(libc.mount(os.fsencode(source), os.fsencode(target), None, ctypes.c_ulong(flags), None), target)


def _check(status: int, name: str) -> None:
    if status:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)


def _execute(command: list[str]) -> None:
    try:
        os.execvp(command[0], command)  # noqa: S606 (no shell is needed)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(NOT_EXECUTABLE)


def main() -> None:
    """Mount the directories, and run the module or the command, if the arguments contain one."""
    libc = ctypes.CDLL(None, use_errno=True)
    _unshare(libc)
    _mount(libc, "none", "/", MS_REC | MS_PRIVATE)
    for source, target, read_only in json.loads(sys.argv[1]):
        _mount(libc, source, target, MS_BIND | MS_REC)
        if read_only:
            # a user namespace must keep the flags nosuid and nodev, which the machine's /tmp may have
            _mount(libc, "none", target, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)
    directory = os.getcwd()  # noqa: PTH109
    os.chdir(directory)  # from the hidden directory into the one that is mounted over it
    sys.path_importer_cache.clear()  # the cache may record that import paths in /opt are missing
    if sys.argv[2:3] == ["--"]:
        _execute(sys.argv[3:])
    if len(sys.argv) > 2:
        sys.path[0] = directory  # `python -m` also imports from the working directory
        sys.argv = sys.argv[2:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
