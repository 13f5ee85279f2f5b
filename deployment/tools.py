"""Find or download Terraform, and find a local mirror of its AWS provider."""

import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import requests

from common.errors import OperatorError
from common.paths import TERRAFORM_DIRECTORY, TOOLS_DIRECTORY

VERSION = "1.11.4"  # downloaded if the machine has no Terraform that is new enough
RELEASE_URL = f"https://releases.hashicorp.com/terraform/{VERSION}"
TIMEOUT = (5, 60)  # maximum seconds to connect, and maximum seconds without data during a download

MIRROR_VARIABLE = "TF_PROVIDER_MIRROR"
REGISTRY = "registry.terraform.io"
# Terraform uses mirrors in these directories without an option:
# https://developer.hashicorp.com/terraform/cli/config/config-file
STANDARD_MIRRORS = ("~/.terraform.d/plugins", "~/.local/share/terraform/plugins", "/usr/share/terraform/plugins")
# Directories in which machine images for CI may contain a mirror; Terraform does not search them
IMAGE_MIRRORS = ("/opt/*", "/opt/*/*", "/usr/local/share/*", "/usr/local/lib/*", "/srv/*", "/var/lib/*")


def find_terraform() -> str:
    """Return the path of the Terraform program that `make setup` downloaded, or of the first one on the PATH.

    Raises
    ------
    OperatorError
        Terraform is not installed.
    """
    downloaded = TOOLS_DIRECTORY / "terraform"
    found = str(downloaded) if downloaded.is_file() else shutil.which("terraform")
    if not found:
        raise OperatorError("Terraform is not installed: run `make setup`")
    return found


def find_mirror(lock_file: Path) -> Path | None:
    """Return the provider mirror to pass to `terraform init`, or None if Terraform needs none.

    If `TF_PROVIDER_MIRROR` is set, the function returns its value. If `TF_CLI_ARGS_init` names a mirror, or a standard
    directory contains the locked provider, the function returns None. Otherwise it searches IMAGE_MIRRORS. It ignores
    mirrors without the locked version for this platform, because Terraform never downloads a provider if `init` gets a
    mirror.
    """
    named = os.environ.get(MIRROR_VARIABLE)
    if named:
        return Path(named).expanduser()
    if "-plugin-dir" in os.environ.get("TF_CLI_ARGS_init", ""):  # noqa: SIM112 (Terraform's own spelling)
        return None
    provider = locked_provider(lock_file)
    if any((Path(mirror).expanduser() / provider).is_dir() for mirror in STANDARD_MIRRORS):
        return None
    mirrors = (path for pattern in IMAGE_MIRRORS for path in sorted(Path("/").glob(pattern.lstrip("/"))))
    return next((path for path in mirrors if (path / provider).is_dir()), None)


def locked_provider(lock_file: Path) -> Path:
    """Return the path of the locked AWS provider for this platform, relative to a mirror's directory."""
    found = re.search(r'version\s*=\s*"([^"]+)"', lock_file.read_text())
    if not found:
        raise OperatorError(f"{lock_file} contains no provider version: restore it from git")
    return Path(REGISTRY, "hashicorp", "aws", found.group(1), platform_name())


def platform_name() -> str:
    """Return the name of this platform in Terraform's releases, such as `linux_amd64`."""
    machine = platform.machine().lower()
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"{platform.system().lower()}_{architecture}"


def ensure_terraform() -> str:
    """Return the path of a Terraform program that is new enough; download one if this machine has none.

    Raises
    ------
    OperatorError
        Terraform must be downloaded, but the download fails or does not match its checksum.
    """
    required = required_version()
    downloaded = TOOLS_DIRECTORY / "terraform"
    for candidate in (str(downloaded) if downloaded.is_file() else None, shutil.which("terraform")):
        if candidate and version_numbers(version_of(candidate)) >= version_numbers(required):
            return candidate
    print(f"Terraform {required} or newer not found: downloading {VERSION}")
    try:
        return download_terraform(downloaded)
    except requests.RequestException as error:
        raise OperatorError(
            f"Terraform {required} or newer is needed, and downloading it from {RELEASE_URL} failed "
            f"({type(error).__name__}): install it from https://developer.hashicorp.com/terraform/install, "
            f"or copy the program to {downloaded}"
        ) from error


def required_version() -> str:
    """Return the oldest Terraform version that `terraform/versions.tf` accepts."""
    found = re.search(r'required_version\s*=\s*">=\s*([\d.]+)', (TERRAFORM_DIRECTORY / "versions.tf").read_text())
    if not found:
        raise OperatorError("terraform/versions.tf has no required_version: restore it from git")
    return found.group(1)


def version_of(terraform: str) -> str:
    """Return the version of a Terraform program."""
    printed = subprocess.run([terraform, "version", "-json"], capture_output=True, text=True, check=True).stdout
    return str(json.loads(printed)["terraform_version"])


def version_numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version as a tuple, so that versions can be compared."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def download_terraform(target: Path) -> str:
    """Download the Terraform release, compare its checksum with SHA256SUMS, and write the program to `target`.

    Raises
    ------
    OperatorError
        The checksum differs.
    requests.RequestException
        The download fails.
    """
    name = f"terraform_{VERSION}_{platform_name()}.zip"
    archive = download(f"{RELEASE_URL}/{name}")
    checksums = download(f"{RELEASE_URL}/terraform_{VERSION}_SHA256SUMS").decode()
    expected = {file: digest for digest, file in (line.split() for line in checksums.splitlines() if line)}.get(name)
    if hashlib.sha256(archive).hexdigest() != expected:
        raise OperatorError(
            f"{name} does not match its checksum in SHA256SUMS: run `make setup` again, and do not use the file if the "
            "checksums still differ"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_bytes(zipfile.ZipFile(io.BytesIO(archive)).read("terraform"))
    partial.chmod(0o755)
    partial.replace(target)
    return str(target)


def download(url: str) -> bytes:
    """Return the content at a URL.

    Raises
    ------
    requests.RequestException
        The request fails.
    """
    response = requests.get(url, timeout=TIMEOUT)
    response.raise_for_status()
    return response.content
