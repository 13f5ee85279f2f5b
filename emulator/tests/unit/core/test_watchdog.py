"""The watchdog ends the processes of an emulator that was killed, and deletes its files."""

import signal
import subprocess
import sys
from pathlib import Path

from sagelocal.core.process import start_time
from sagelocal.core.watchdog import Watchdog, end

from ...waiting import eventually

# Program that starts a watchdog and a watched child process, as an emulator does
EMULATOR = """
import subprocess, sys, time
from pathlib import Path
from sagelocal.core.watchdog import Watchdog
watchdog = Watchdog(Path(sys.argv[1]))
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
watchdog.watch(child.pid)
print(child.pid, flush=True)
time.sleep(60)
"""


def test_child_processes_and_directory_of_a_killed_emulator_are_removed(tmp_path: Path) -> None:
    # GIVEN an emulator with a child process and a directory
    directory = tmp_path / "scratch"
    directory.mkdir()
    with subprocess.Popen([sys.executable, "-c", EMULATOR, str(directory)], stdout=subprocess.PIPE) as emulator:
        assert emulator.stdout is not None
        child = int(emulator.stdout.readline())
        assert start_time(child)

        # WHEN
        emulator.send_signal(signal.SIGKILL)

        # THEN
        eventually(lambda: start_time(child) is None and not directory.exists())


def test_stopping_the_watchdog_deletes_the_directory(tmp_path: Path) -> None:
    # GIVEN
    directory = tmp_path / "scratch"
    directory.mkdir()
    watchdog = Watchdog(directory)

    # WHEN
    watchdog.stop()

    # THEN
    assert not directory.exists()


def test_another_process_with_the_same_id_is_not_killed() -> None:
    # GIVEN a process that started at another time than the recorded one
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as other:
        # WHEN
        end([f"{other.pid} 1"])

        # THEN
        assert other.poll() is None
        other.communicate(b"\n")
        assert other.returncode == 0
