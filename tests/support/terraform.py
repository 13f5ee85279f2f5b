"""Terraform in copies of the project, each applied to an emulator of its own."""

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
    """Copy the project to `directory`, and zip the functions."""
    copy_project(directory)
    zip_functions(directory)
    return directory


def zip_functions(project: Path) -> None:
    """Run `make lambdas`."""
    subprocess.run(["make", "lambdas"], cwd=project, check=True, capture_output=True)


def make_terraform(project: Path, environment: str) -> Terraform:
    """Return Terraform for the root module of a copy."""
    return Terraform(environment, logs=project / "build", directory=project / "terraform")


@dataclass(frozen=True)
class Deployment:
    """An environment in a copy of the project and an account of its own."""

    account: Emulator
    project: Path
    terraform: Terraform
    variables: Mapping[str, str]

    @property
    def stack(self) -> Stack:
        """The stack that Terraform's outputs describe at this moment."""
        return read_stack(self.terraform)

    def select(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Point AWS SDKs and Terraform to this environment's account, and set its variables."""
        self.account.select(monkeypatch)
        for name, value in self.variables.items():
            monkeypatch.setenv(name, value)

    def apply(self) -> None:
        """Plan, and apply the plan."""
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
    """Start an account and copy the project; nothing is applied yet."""
    account = start_emulator(directory / "emulator")
    project = make_project(directory / "project")
    try:
        yield Deployment(account, project, make_terraform(project, environment), variables or {})
    finally:
        account.stop()


@contextlib.contextmanager
def running_provider(terraform: Path, environment: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """Keep one process of the AWS provider running, which Terraform otherwise starts several times per run.

    Yields the variable that makes Terraform use it: https://developer.hashicorp.com/terraform/plugin/debugging

    Parameters
    ----------
    terraform : a root module after `terraform init`
    environment : environment variables of the provider, which select the AWS account
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
