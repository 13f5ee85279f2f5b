"""Make sure of a Terraform that is new enough: the PATH's, else the pinned release, fetched and checked."""

import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import requests

from common.errors import OperatorError, TerraformMissingError
from common.paths import DIRECTORY, TOOLS, platform_name

PINNED = "1.11.4"
RELEASES = f"https://releases.hashicorp.com/terraform/{PINNED}"
TIMEOUT = (5, 60)  # seconds to connect, seconds without a byte


class ChecksumError(OperatorError):
    """A download is not what its publisher says it is."""


def required_version() -> str:
    """The oldest Terraform that `terraform/versions.tf` accepts."""
    found = re.search(r'required_version\s*=\s*">=\s*([\d.]+)', (DIRECTORY / "versions.tf").read_text())
    if not found:
        raise OperatorError("terraform/versions.tf requires no version: restore it from git")
    return found.group(1)


def version_of(terraform: str) -> str:
    """The version that this Terraform says it is."""
    answer = subprocess.run([terraform, "version", "-json"], capture_output=True, text=True, check=True)
    return str(json.loads(answer.stdout)["terraform_version"])


def numbers(version: str) -> tuple[int, ...]:
    """A version in a form that compares."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def ensure_terraform() -> str:
    """Path of a Terraform that is new enough, fetched into the project's tool folder if need be.

    Raises
    ------
    TerraformMissingError
        There is none, and none can be fetched.
    ChecksumError
        The release is not what its SHA256SUMS says.
    """
    required = required_version()
    own = TOOLS / "terraform"
    for candidate in (str(own) if own.is_file() else None, shutil.which("terraform")):
        if candidate and numbers(version_of(candidate)) >= numbers(required):
            return candidate
    print(f"no Terraform {required} or newer here: fetching {PINNED}")
    try:
        return fetch_terraform(own)
    except requests.RequestException as error:
        raise TerraformMissingError(
            f"Terraform {required} or newer is needed, and {RELEASES} cannot be reached ({type(error).__name__}): "
            f"install it from https://developer.hashicorp.com/terraform/install, or put the program at {own}"
        ) from error


def fetch_terraform(target: Path) -> str:
    """Fetch the pinned release, hold it against its SHA256SUMS, and put the program at `target`."""
    name = f"terraform_{PINNED}_{platform_name()}.zip"
    archive = fetch(f"{RELEASES}/{name}")
    sums = fetch(f"{RELEASES}/terraform_{PINNED}_SHA256SUMS").decode()
    expected = {file: digest for digest, file in (line.split() for line in sums.splitlines() if line)}.get(name)
    if hashlib.sha256(archive).hexdigest() != expected:
        raise ChecksumError(f"{name} is not what SHA256SUMS says: try again, and do not use it if this stays")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_bytes(zipfile.ZipFile(io.BytesIO(archive)).read("terraform"))
    partial.chmod(0o755)
    partial.replace(target)
    return str(target)


def fetch(url: str) -> bytes:
    """The body behind a URL.

    Raises
    ------
    requests.RequestException
        It cannot be had.
    """
    answer = requests.get(url, timeout=TIMEOUT)
    answer.raise_for_status()
    return answer.content


if __name__ == "__main__":
    try:
        print(f"Terraform: {ensure_terraform()}")
    except OperatorError as error:
        sys.exit(f"error: {error}")
