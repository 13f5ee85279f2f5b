"""The quick start of the emulator's README."""

import re
import subprocess
import sys
from pathlib import Path

from sagelocal.pytest_plugin import RunningEmulator

README = Path(__file__).parents[2] / "README.md"


def test_quick_start_prints_what_the_readme_says(tmp_path: Path) -> None:
    # GIVEN
    text = README.read_text()
    container, quick_start, *_ = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    expected = re.search(r"The script prints:\n```\n(.*?)```", text, re.DOTALL)
    (tmp_path / "container.py").write_text(container)
    command = ["{python}", str(tmp_path / "container.py")]
    emulator = RunningEmulator(
        tmp_path, images={"example:.*": {"train": [*command, "train"], "serve": [*command, "serve"]}}
    )
    # WHEN
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
