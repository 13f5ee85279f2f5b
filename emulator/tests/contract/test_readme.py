"""The quick start in the emulator's README works as the README says."""

import re
import subprocess
import sys
from pathlib import Path

from sagelocal.pytest_plugin import RunningEmulator

README = Path(__file__).parents[2] / "README.md"


def test_quick_start_prints_the_output_in_the_readme(tmp_path: Path) -> None:
    # GIVEN the two programs of the quick start, and an emulator that runs the first one as a container
    text = README.read_text()
    container, quick_start, *_ = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    expected = re.search(r"The script prints:\n```\n(.*?)```", text, re.DOTALL)
    (tmp_path / "container.py").write_text(container)
    command = ["{python}", str(tmp_path / "container.py")]
    emulator = RunningEmulator(
        tmp_path, images={"example:.*": {"train": [*command, "train"], "serve": [*command, "serve"]}}
    )
    # WHEN the second program runs
    try:
        ended = subprocess.run(
            [sys.executable, "-c", quick_start],
            env=emulator.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
    finally:
        emulator.stop()
    # THEN
    assert expected
    assert ended.stdout == expected[1], ended.stderr
