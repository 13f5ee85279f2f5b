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

ROOTS = ("terraform", "terraform/bootstrap")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which both root modules are initialised."""
    project = make_project(tmp_path_factory.mktemp("project"))
    for root in ROOTS:
        Terraform("dev", logs=project / "build", directory=project / root).init()
    return project


@pytest.fixture(scope="module")
def environment(project: Path) -> Iterator[Mapping[str, str]]:
    """Environment variables without AWS credentials and endpoint URL, which make Terraform use a running provider."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("AWS_") and name != "TF_WORKSPACE"
    }
    with running_provider(project / "terraform") as variables:
        yield {**inherited, **variables}


@pytest.mark.parametrize("root", ROOTS)
def test_terraforms_tests_pass(project: Path, environment: Mapping[str, str], root: str) -> None:
    # WHEN one process runs all test files, because each process reads the provider's schema
    result = subprocess.run(
        [find_terraform(), "test", "-no-color"],
        cwd=project / root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )

    # THEN no test fails, and every test file was run
    assert result.returncode == 0, result.stdout + result.stderr
    passed = re.findall(r"^tests/(\S+)\.\.\. pass$", result.stdout, re.M)
    assert sorted(passed) == sorted(path.name for path in (ROOT / root / "tests").glob("*.tftest.hcl"))
