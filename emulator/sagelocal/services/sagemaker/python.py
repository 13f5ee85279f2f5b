"""A Python environment of each training job's own, on top of the emulator's.

In a container `pip install` changes nothing but the container. Here the job sees what this Python has installed, and
what it installs, or installs in another version, lands in its own folder and goes with it.
"""

import site
import sys
import venv
from pathlib import Path

# Commands that are modules of the environment's own Python; this Python's own would not see what the job installs
COMMANDS = {"pip": "pip", "pip3": "pip", "torchrun": "torch.distributed.run"}
SCRIPT = '#!/bin/sh\nexec "$(dirname "$0")/python3" -m {} "$@"\n'


def create_environment(folder: Path) -> Path:
    """Make a virtual environment, some milliseconds' work; the folder of its commands."""
    venv.EnvBuilder(symlinks=True, with_pip=False).create(folder)
    library = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    # `addsitedir` and no bare path: what is installed editable is named by .pth files of its own
    lines = [f"import site; site.addsitedir({path!r})\n" for path in site.getsitepackages()]
    (library / "image.pth").write_text("".join(lines))
    commands = folder / "bin"
    for name, module in COMMANDS.items():
        (commands / name).write_text(SCRIPT.format(module))
        (commands / name).chmod(0o755)
    return commands
