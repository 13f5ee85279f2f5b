"""Terraform's own tests, in the root modules' `tests/`: no account, no emulator, the provider mocked."""

import shutil
import subprocess
from pathlib import Path

import pytest

from deployment.terraform import Terraform
from deployment.tools import find_terraform

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The Terraform and the zips as a clone has them after `make lambdas`."""
    ignored = shutil.ignore_patterns(".terraform", "*.tfstate*", "terraform.tfstate.d")
    shutil.copytree(ROOT / "terraform", tmp_path / "terraform", ignore=ignored)
    for name in ("lambdas", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy2(ROOT / "Makefile", tmp_path)
    subprocess.run(["make", "lambdas"], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


@pytest.mark.parametrize("root", ["terraform", "terraform/bootstrap"])
def test_the_configuration_passes_its_own_tests(project: Path, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN no account, and no address at which one might answer
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "TF_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    Terraform("dev", logs=project / "build", directory=project / root).init()

    # WHEN
    tested = subprocess.run(
        [find_terraform(), "test", "-no-color"], cwd=project / root, capture_output=True, text=True, timeout=300
    )

    # THEN
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert " 0 failed" in tested.stdout
