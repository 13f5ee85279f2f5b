"""A separate Python virtual environment for each host of a training or processing job.

As in a container, `pip install` affects only the host on which it runs: packages are installed into the host's virtual
environment, which is deleted when the job ends. The job can also import the packages of the emulator's Python.
"""

import site
import sys
import venv
from pathlib import Path

# Module that each command runs with the virtual environment's Python, so that the module can import the packages that
# the job installs
COMMANDS = {"pip": "pip", "pip3": "pip", "torchrun": "torch.distributed.run"}
SCRIPT = '#!/bin/sh\nexec "$(dirname "$0")/python3" -m {} "$@"\n'


def create_environment(folder: Path) -> Path:
    """Create a virtual environment in `folder`, and return the folder of the environment's commands."""
    venv.EnvBuilder(symlinks=True, with_pip=False).create(folder)
    library = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    # addsitedir also processes .pth files, which editable installations need
    lines = [f"import site; site.addsitedir({path!r})\n" for path in site.getsitepackages()]
    (library / "image.pth").write_text("".join(lines))
    commands = folder / "bin"
    for name, module in COMMANDS.items():
        (commands / name).write_text(SCRIPT.format(module))
        (commands / name).chmod(0o755)
    return commands
