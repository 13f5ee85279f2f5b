import hashlib
import io
import zipfile
from pathlib import Path

import pytest
import requests

from common.errors import TerraformMissingError
from common.paths import platform_name
from scripts import setup


def release(program: bytes) -> tuple[str, bytes]:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("terraform", program)
    return f"terraform_{setup.PINNED}_{platform_name()}.zip", stream.getvalue()


def test_a_release_that_its_sums_confirm_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    name, archive = release(b"the program")
    sums = f"{hashlib.sha256(archive).hexdigest()}  {name}\n".encode()
    monkeypatch.setattr(setup, "fetch", lambda url: sums if url.endswith("SHA256SUMS") else archive)

    # WHEN
    setup.fetch_terraform(tmp_path / "tools" / "terraform")

    # THEN
    assert (tmp_path / "tools" / "terraform").read_bytes() == b"the program"
    assert (tmp_path / "tools" / "terraform").stat().st_mode & 0o111


def test_a_release_that_its_sums_deny_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    name, archive = release(b"something else")
    sums = f"{'0' * 64}  {name}\n".encode()
    monkeypatch.setattr(setup, "fetch", lambda url: sums if url.endswith("SHA256SUMS") else archive)

    # WHEN / THEN
    with pytest.raises(setup.ChecksumError, match="SHA256SUMS"):
        setup.fetch_terraform(tmp_path / "terraform")
    assert list(tmp_path.iterdir()) == []


def test_without_terraform_and_network_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    def unreachable(url: str) -> bytes:
        raise requests.ConnectionError(url)

    monkeypatch.setattr(setup, "fetch", unreachable)
    monkeypatch.setattr(setup, "TOOLS", tmp_path)
    monkeypatch.setattr("shutil.which", lambda name: None)

    # WHEN / THEN
    with pytest.raises(TerraformMissingError, match="install it from https://developer"):
        setup.ensure_terraform()
