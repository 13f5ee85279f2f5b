"""`make cost` and `make bootstrap` hold a lock, so that no two commands use Terraform's files at the same time."""

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployment.terraform import Plan
from scripts import bootstrap, cost


class FakeEnvironment:
    """A command's environment, which records the resource whose lock is held."""

    name = "dev"
    options = argparse.Namespace(repository="owner/name")

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.locked = ""

    @contextlib.contextmanager
    def lock(self, target: str, resource: str = "terraform") -> Iterator[None]:
        self.locked = resource
        yield
        self.locked = ""


@pytest.mark.parametrize(("command", "resource"), [(cost, "terraform"), (bootstrap, "bootstrap")])
def test_commands_hold_the_lock_while_they_plan(
    command: Any, resource: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    environment = FakeEnvironment(tmp_path)
    held: list[str] = []

    def plan(*_: Any) -> Any:
        held.append(environment.locked)
        saved = Plan(tmp_path / "plan", changes=0, empty=True, summary="No changes.")
        return (saved, {}) if command is bootstrap else saved

    outputs = {"state_bucket": "some", "permissions_boundaries": {}, "plan_role_arn": "some", "deploy_role_arns": {}}
    terraform = SimpleNamespace(plan=plan, show=lambda _: {}, apply=lambda _: None, outputs=lambda: outputs)
    monkeypatch.setattr(command, "Terraform", lambda *_, **__: terraform)
    monkeypatch.setattr(cost, "read_settings", lambda name: {})
    monkeypatch.setattr(cost, "estimate", lambda *_: [])
    monkeypatch.setattr(bootstrap, "plan_with_imports", plan)
    monkeypatch.setattr(bootstrap, "move_state", lambda *_: None)

    # WHEN
    command.main(environment)

    # THEN
    assert held == [resource]
    assert not environment.locked
