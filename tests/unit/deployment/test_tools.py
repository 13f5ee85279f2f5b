"""A provider mirror is found, and Terraform is downloaded and verified."""

import hashlib
import io
import zipfile
from pathlib import Path

import pytest
import requests

from common.errors import OperatorError
from deployment import tools
from deployment.tools import find_mirror, locked_provider, platform_name

LOCK = 'provider "registry.terraform.io/hashicorp/aws" {\n  version     = "5.100.0"\n}\n'


@pytest.fixture
def lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dependency lock file, on a machine without provider mirrors."""
    monkeypatch.delenv(tools.MIRROR_VARIABLE, raising=False)
    monkeypatch.delenv("TF_CLI_ARGS_init", raising=False)
    monkeypatch.setattr(tools, "STANDARD_MIRRORS", (str(tmp_path / "standard"),))
    monkeypatch.setattr(tools, "IMAGE_MIRRORS", (str(tmp_path / "images" / "*"),))
    path = tmp_path / ".terraform.lock.hcl"
    path.write_text(LOCK)
    return path


def make_mirror(directory: Path, lock_file: Path) -> Path:
    """Create a provider mirror that contains the locked provider."""
    (directory / locked_provider(lock_file)).mkdir(parents=True)
    return directory


def test_find_mirror_returns_none_on_a_machine_without_mirrors(lock_file: Path) -> None:
    assert find_mirror(lock_file) is None


def test_mirror_in_a_directory_of_the_machine_image_is_found(lock_file: Path, tmp_path: Path) -> None:
    # GIVEN
    mirror = make_mirror(tmp_path / "images" / "plugins", lock_file)

    # WHEN / THEN
    assert find_mirror(lock_file) == mirror


def test_mirror_without_the_locked_version_is_ignored(lock_file: Path, tmp_path: Path) -> None:
    # GIVEN a mirror with another version. If Terraform used this mirror, it would not download the locked version.
    mirror = make_mirror(tmp_path / "images" / "plugins", lock_file)
    lock_file.write_text(LOCK.replace("5.100.0", "5.101.0"))

    # WHEN / THEN
    assert mirror.is_dir()
    assert find_mirror(lock_file) is None


def test_find_mirror_returns_none_if_terraforms_standard_directory_contains_the_provider(
    lock_file: Path, tmp_path: Path
) -> None:
    # GIVEN
    make_mirror(tmp_path / "standard", lock_file)
    make_mirror(tmp_path / "images" / "plugins", lock_file)

    # WHEN / THEN
    assert find_mirror(lock_file) is None


def test_mirror_in_the_environment_variable_takes_precedence(
    lock_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    make_mirror(tmp_path / "images" / "plugins", lock_file)
    monkeypatch.setenv(tools.MIRROR_VARIABLE, str(tmp_path / "mine"))

    # WHEN / THEN
    assert find_mirror(lock_file) == tmp_path / "mine"


def make_release(program: bytes) -> tuple[str, bytes]:
    """Return the file name and content of the archive of a Terraform release."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("terraform", program)
    return f"terraform_{tools.VERSION}_{platform_name()}.zip", stream.getvalue()


def test_release_that_matches_its_checksum_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    name, archive = make_release(b"the program")
    checksums = f"{hashlib.sha256(archive).hexdigest()}  {name}\n".encode()
    monkeypatch.setattr(tools, "download", lambda url: checksums if url.endswith("SHA256SUMS") else archive)

    # WHEN
    tools.download_terraform(tmp_path / "tools" / "terraform")

    # THEN
    assert (tmp_path / "tools" / "terraform").read_bytes() == b"the program"
    assert (tmp_path / "tools" / "terraform").stat().st_mode & 0o111


def test_release_that_does_not_match_its_checksum_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    name, archive = make_release(b"something else")
    checksums = f"{'0' * 64}  {name}\n".encode()
    monkeypatch.setattr(tools, "download", lambda url: checksums if url.endswith("SHA256SUMS") else archive)

    # WHEN / THEN
    with pytest.raises(OperatorError, match="does not match its checksum in SHA256SUMS: run `make setup` again"):
        tools.download_terraform(tmp_path / "terraform")
    assert list(tmp_path.iterdir()) == []


def test_error_of_a_failed_download_says_how_to_install_terraform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    def unreachable(url: str) -> bytes:
        raise requests.ConnectionError(url)

    monkeypatch.setattr(tools, "download", unreachable)
    monkeypatch.setattr(tools, "TOOLS_DIRECTORY", tmp_path)
    monkeypatch.setattr("shutil.which", lambda name: None)

    # WHEN / THEN
    with pytest.raises(OperatorError, match="install it from https://developer"):
        tools.ensure_terraform()
