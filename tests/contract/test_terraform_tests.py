"""Terraform's own tests, which mock the AWS provider and need neither an account nor the emulator."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from deployment.terraform import Terraform
from deployment.tools import find_terraform
from tests.support.project import ROOT
from tests.support.terraform import make_project, running_provider

pytestmark = pytest.mark.xdist_group("terraform tests")

TESTS = sorted(path.relative_to(ROOT) for path in (ROOT / "terraform").rglob("*.tftest.hcl"))
ACCOUNT_TESTS = Path("terraform/tests/account")  # test_environments.py runs them


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which both root modules are initialised."""
    project = make_project(tmp_path_factory.mktemp("project"))
    for root in ("terraform", "terraform/bootstrap"):
        Terraform("dev", logs=project / "build", directory=project / root).init()
    return project


@pytest.fixture(scope="module")
def environment(project: Path) -> Iterator[Mapping[str, str]]:
    """Environment variables without AWS credentials and endpoint, and with a running provider."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("AWS_") and name != "TF_WORKSPACE"
    }
    with running_provider(project / "terraform") as variables:
        yield {**inherited, **variables}


@pytest.mark.parametrize("path", [path for path in TESTS if path.parent != ACCOUNT_TESTS], ids=str)
def test_terraforms_tests_pass(project: Path, environment: Mapping[str, str], path: Path) -> None:
    # WHEN
    result = subprocess.run(
        [find_terraform(), "test", "-no-color", f"-filter=tests/{path.name}"],
        cwd=project / path.parent.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )

    # THEN
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"[1-9]\d* passed, 0 failed", result.stdout)
