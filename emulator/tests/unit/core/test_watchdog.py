"""The watchdog cleans up after an emulator that was killed."""

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


def test_killed_emulator_leaves_no_process_and_no_directory(tmp_path: Path) -> None:
    # GIVEN
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


def test_stopped_watchdog_has_deleted_the_scratch_directory(tmp_path: Path) -> None:
    # GIVEN
    directory = tmp_path / "scratch"
    directory.mkdir()
    watchdog = Watchdog(directory)

    # WHEN
    watchdog.stop()

    # THEN
    assert not directory.exists()


def test_another_process_with_the_same_id_is_not_killed() -> None:
    # GIVEN
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as other:
        # WHEN
        end([f"{other.pid} 1"])

        # THEN
        assert other.poll() is None
        other.communicate(b"\n")
        assert other.returncode == 0
