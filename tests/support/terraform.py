"""Run Terraform in copies of the project, each with a separate emulator."""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from common.stack import Stack
from deployment.read_stack import read_stack
from deployment.terraform import Terraform
from tests.support.emulator import Emulator, start_emulator
from tests.support.project import ROOT, copy_project
from tests.support.provider_proxy import shortened_schema, used_types

NO_LOG = Path(os.devnull)


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
    """An environment with a separate copy of the project, a separate account and a running provider process.

    Attributes
    ----------
    account : emulator that contains the account
    project : directory of the project copy
    terraform : runner of Terraform commands in the copy's root module
    requests : log file of the provider's requests
    variables : environment variables that all commands receive
    """

    account: Emulator
    project: Path
    terraform: Terraform
    requests: Path
    variables: Mapping[str, str] = field(repr=False)

    @property
    def stack(self) -> Stack:
        """The deployed stack, read from Terraform's current outputs."""
        state = self.project / "terraform" / "terraform.tfstate"
        return stack_at(self.terraform, state.stat().st_mtime_ns if state.is_file() else 0)

    def select(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Point AWS SDKs and Terraform to this environment's account, and set its variables."""
        select(monkeypatch, self.account, self.variables)

    def apply(self) -> None:
        """Create a plan and apply it."""
        self.terraform.apply(self.terraform.plan())

    def run(self, command: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a module of `scripts` in the project copy, as the Makefile does."""
        return run_command(self.project, command, *arguments, "--env", self.terraform.environment)


def apply(deployment: Deployment) -> None:
    """Apply an environment in a fixture that several tests share, with the environment's account selected meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        deployment.select(patch)
        deployment.apply()


def select(monkeypatch: pytest.MonkeyPatch, account: Emulator, variables: Mapping[str, str]) -> None:
    """Point AWS SDKs and Terraform to an account, and set environment variables."""
    account.select(monkeypatch)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@cache
def stack_at(terraform: Terraform, changed: int) -> Stack:
    """Return the stack, and cache it until the state changes, because each `terraform output` takes a second.

    Parameters
    ----------
    changed : modification time of the state file in nanoseconds, used only as a part of the cache key
    """
    return read_stack(terraform)


def run_command(project: Path, name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the module `name` of `scripts` in a copy of the project."""
    return subprocess.run(
        [sys.executable, "-m", f"scripts.{name}", *arguments], cwd=project, capture_output=True, text=True
    )


@contextlib.contextmanager
def new_deployment(
    environment: str, directory: Path, variables: Mapping[str, str] | None = None, *, logged: bool = True
) -> Iterator[Deployment]:
    """Start an emulator and a provider, and copy the project, without applying anything.

    Parameters
    ----------
    variables : environment variables that all commands receive
    logged : whether the provider logs its requests, which makes the provider slower
    """
    account = start_emulator(directory / "emulator")
    project = make_project(directory / "project")
    terraform, log = make_terraform(project, environment), directory / "requests.log" if logged else NO_LOG
    try:
        terraform.init()
        with running_provider(project / "terraform", account.environment, log) as provider:
            yield Deployment(account, project, terraform, log, {**(variables or {}), **provider})
    finally:
        account.stop()


@contextlib.contextmanager
def running_provider(
    terraform: Path, account: Mapping[str, str] | None = None, log: Path = NO_LOG
) -> Iterator[Mapping[str, str]]:
    """Run one AWS provider process for all Terraform commands, because each command would otherwise start several.

    Yields the environment variable that makes Terraform use this process: https://developer.hashicorp.com/terraform/plugin/debugging

    Parameters
    ----------
    terraform : directory of a root module, after `terraform init`
    account : environment variables that select the provider's account, or None for tests that mock the provider
    log : file to which the provider appends its log, with all requests; `os.devnull` for no log
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= account or {}
    if log != NO_LOG:
        environment["TF_LOG_PROVIDER"] = "DEBUG"
    (executable,) = terraform.glob(".terraform/providers/*/hashicorp/aws/*/*/terraform-provider-aws*")
    with log.open("a") as errors:
        process = subprocess.Popen(
            [executable, "-debug"], cwd=terraform, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    assert process.stdout is not None
    found = (re.search(r"TF_REATTACH_PROVIDERS='(.*)'", line) for line in process.stdout)
    try:
        ((address, plugin),) = json.loads(next(match.group(1) for match in found if match)).items()
        with shortened_schema(plugin, used_types(ROOT / "terraform")) as proxy:
            yield {"TF_REATTACH_PROVIDERS": json.dumps({address: proxy})}
    finally:
        process.kill()
        process.wait()
