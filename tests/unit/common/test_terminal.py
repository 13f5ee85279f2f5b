"""Ctrl-C in a terminal in which make runs a command."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# runs a command in a terminal, sends Ctrl-C when the command is ready, and prints the command's exit status
TERMINAL = """
import os, pty, sys
process, terminal = pty.fork()
if process == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
output = b""
while b"ready" not in output:  # make may print a line before the command starts
    output += os.read(terminal, 1000)
os.write(terminal, b"\\x03")
try:
    while read := os.read(terminal, 1000):
        output += read
except OSError:  # the command has ended
    pass
print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
"""
COMMAND = """
import contextlib, time
from common.terminal import own_interrupts
with {context}, contextlib.suppress(KeyboardInterrupt):
    print("ready", flush=True)
    for _ in range(600):  # short sleeps, because a signal just before a sleep is handled only after the sleep
        time.sleep(0.1)
"""


@pytest.mark.parametrize(("context", "status"), [("own_interrupts()", 0), ("contextlib.nullcontext()", -2)])
def test_ctrl_c_ends_make_only_if_the_command_does_not_handle_it(tmp_path: Path, context: str, status: int) -> None:
    # GIVEN a make target whose command exits with status 0 after Ctrl-C
    (tmp_path / "command.py").write_text(COMMAND.format(context=context))
    (tmp_path / "Makefile").write_text(f"some-target:\n\t@PYTHONPATH={ROOT} {sys.executable} command.py\n")

    # WHEN
    result = subprocess.run(
        [sys.executable, "-c", TERMINAL, "make", "some-target"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )

    # THEN make exits with status 0 if the command keeps the signal from make, and else is killed by the signal
    assert result.stdout == f"{status}\n"
