"""Where Terraform is, its configuration, and its provider."""

import os
import platform
import re
import shutil
from pathlib import Path

from common.errors import TerraformError, TerraformMissingError

ROOT = Path(__file__).resolve().parent.parent
DIRECTORY = ROOT / "terraform"
TOOLS = ROOT / ".tools"

MIRROR_VARIABLE = "TF_PROVIDER_MIRROR"
REGISTRY = "registry.terraform.io"
# Terraform searches these by itself: https://developer.hashicorp.com/terraform/cli/config/config-file
STANDARD_MIRRORS = ("~/.terraform.d/plugins", "~/.local/share/terraform/plugins", "/usr/share/terraform/plugins")
# Where images of build machines put a mirror that Terraform is then told of
IMAGE_MIRRORS = ("/opt/*", "/opt/*/*", "/usr/local/share/*", "/usr/local/lib/*", "/srv/*", "/var/lib/*")


def find_terraform() -> str:
    """The Terraform to run: the project's own where `make setup` fetched one, else the PATH's.

    Raises
    ------
    TerraformMissingError
        There is none.
    """
    own = TOOLS / "terraform"
    found = str(own) if own.is_file() else shutil.which("terraform")
    if not found:
        raise TerraformMissingError("Terraform is not installed: run `make setup`")
    return found


def find_mirror(lock_file: Path) -> Path | None:
    """The filesystem mirror to name to Terraform, or None where it needs none.

    In this order: the variable `TF_PROVIDER_MIRROR`; nothing where Terraform finds one by itself or is
    told of one already; then the places where images of build machines put mirrors. One that lacks the
    locked version for this platform is passed over, since a mirror that is named blocks every other source.
    """
    named = os.environ.get(MIRROR_VARIABLE)
    if named:
        return Path(named).expanduser()
    if "-plugin-dir" in os.environ.get("TF_CLI_ARGS_init", ""):  # noqa: SIM112 (its name)
        return None
    wanted = locked_provider(lock_file)
    if any((Path(place).expanduser() / wanted).is_dir() for place in STANDARD_MIRRORS):
        return None
    places = (path for pattern in IMAGE_MIRRORS for path in sorted(Path("/").glob(pattern.lstrip("/"))))
    return next((path for path in places if (path / wanted).is_dir()), None)


def locked_provider(lock_file: Path) -> Path:
    """Where a mirror keeps the locked AWS provider for this platform, below the mirror's folder."""
    found = re.search(r'version\s*=\s*"([^"]+)"', lock_file.read_text())
    if not found:
        raise TerraformError(f"{lock_file} names no version: restore it from git")
    return Path(REGISTRY, "hashicorp", "aws", found.group(1), platform_name())


def platform_name() -> str:
    """This machine in the words of Terraform's releases, such as `linux_amd64`."""
    machine = platform.machine().lower()
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"{platform.system().lower()}_{architecture}"
