"""Run Terraform in copies of the project, each with a separate emulator."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.stack import Stack
from deployment.read_stack import read_stack
from deployment.terraform import Terraform
from tests.support.emulator import Emulator, start_emulator
from tests.support.project import copy_project


def make_project(directory: Path) -> Path:
    """Copy the project to `directory`, package its Lambda functions, and return `directory`."""
    copy_project(directory)
    zip_functions(directory)
    return directory


def zip_functions(project: Path) -> None:
    """Package the Lambda functions with `make lambdas`."""
    subprocess.run(["make", "lambdas"], cwd=project, check=True, capture_output=True)


def make_terraform(project: Path, environment: str) -> Terraform:
    """Return a `Terraform` for the root module of a project copy."""
    return Terraform(environment, logs=project / "build", directory=project / "terraform")


@dataclass(frozen=True)
class Deployment:
    """An environment with its own copy of the project and its own account."""

    account: Emulator
    project: Path
    terraform: Terraform
    variables: Mapping[str, str]

    @property
    def stack(self) -> Stack:
        """The stack, read from Terraform's current outputs."""
        return read_stack(self.terraform)

    def select(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Point AWS SDKs and Terraform to this environment's account, and set its variables."""
        self.account.select(monkeypatch)
        for name, value in self.variables.items():
            monkeypatch.setenv(name, value)

    def apply(self) -> None:
        """Create a plan and apply it."""
        self.terraform.apply(self.terraform.plan())

    def run(self, command: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a module of `scripts` in the copy, as the Makefile does."""
        return run_command(self.project, command, *arguments, "--env", self.terraform.environment)


def run_command(project: Path, name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a module of `scripts` in a copy of the project."""
    return subprocess.run(
        [sys.executable, "-m", f"scripts.{name}", *arguments], cwd=project, capture_output=True, text=True
    )


@contextlib.contextmanager
def new_deployment(
    environment: str, directory: Path, variables: Mapping[str, str] | None = None
) -> Iterator[Deployment]:
    """Start an emulator and copy the project, without applying anything."""
    account = start_emulator(directory / "emulator")
    project = make_project(directory / "project")
    try:
        yield Deployment(account, project, make_terraform(project, environment), variables or {})
    finally:
        account.stop()


@contextlib.contextmanager
def running_provider(terraform: Path, environment: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """Run one process of the AWS provider for all Terraform commands; each command would otherwise start several.

    Yields the environment variable that makes Terraform use the process: https://developer.hashicorp.com/terraform/plugin/debugging

    Parameters
    ----------
    terraform : a root module after `terraform init`
    environment : environment variables of the provider, including the account's credentials and endpoint
    """
    (executable,) = terraform.glob(".terraform/providers/*/hashicorp/aws/*/*/terraform-provider-aws*")
    process = subprocess.Popen(
        [executable, "-debug"],
        cwd=terraform,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    found = (re.search(r"TF_REATTACH_PROVIDERS='(.*)'", line) for line in process.stdout)
    try:
        yield {"TF_REATTACH_PROVIDERS": next(match.group(1) for match in found if match)}
    finally:
        process.kill()
        process.wait()
