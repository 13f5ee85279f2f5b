"""A Terraform that is killed with its provider at a random moment is completed by the next run."""

import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.account import resources
from tests.support.terraform import Deployment, new_deployment, running_provider
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("killed Terraform")

CREATED, DESTROYED = 45, 40  # Terraform has started to create or destroy more resources before it ends


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """The environment `local`, to which nothing is applied."""
    with new_deployment("local", tmp_path, logged=False) as deployment:
        deployment.select(monkeypatch)
        deployment.terraform.init()
        yield deployment


@pytest.fixture
def moments() -> random.Random:
    """Random moments, whose seed the test report has; SEED repeats them."""
    seed = os.environ.get("SEED") or str(random.SystemRandom().randrange(10**6))
    print(f"SEED={seed}")
    return random.Random(seed)


@contextlib.contextmanager
def provider(local: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run a provider process for Terraform, and kill it at the end."""
    with running_provider(local.project / "terraform", os.environ) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield


def start(local: Deployment, action: str) -> "subprocess.Popen[bytes]":
    """Start a command in its own process group, which contains Terraform too."""
    command = [sys.executable, "-m", "scripts.provision", action, "--env", "local"]
    return subprocess.Popen(command, cwd=local.project, start_new_session=True)


def await_apply(local: Deployment, process: "subprocess.Popen[bytes]", line: str, count: int) -> None:
    """Wait until Terraform has printed a line `count` times."""
    log = local.project / "build" / "local" / "terraform-apply.log"

    def reached() -> bool:
        assert process.poll() is None, f"the command ended before {count} times {line}"
        return log.is_file() and log.read_text().count(line) >= count

    eventually(reached, seconds=120)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a command and its Terraform."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_the_next_run_completes_a_killed_apply_and_a_killed_destroy(
    local: Deployment, moments: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an apply that is killed, and a state that lacks what was created last, as a state in S3 does
    state = local.terraform.local_state.path
    with provider(local, monkeypatch):
        process = start(local, "up")
        written, killed = sorted(moments.sample(range(1, CREATED), 2))
        await_apply(local, process, ": Creating...", written)
        content = state.read_bytes() if state.exists() else b""
        await_apply(local, process, ": Creating...", killed)
        kill(process)
    state.write_bytes(content)

    with provider(local, monkeypatch):
        # WHEN
        result = local.run("provision", "up")

        # THEN
        assert result.returncode == 0, result.stderr
        assert local.terraform.plan().empty

        # GIVEN a destroy that is killed
        process = start(local, "down")
        (local.project / "build" / "local" / "terraform-apply.log").unlink()
        await_apply(local, process, ": Destroying... [", moments.randint(1, DESTROYED))
        kill(process)

    with provider(local, monkeypatch):
        # WHEN
        result = local.run("provision", "down")

    # THEN
    assert result.returncode == 0, result.stderr
    assert resources(local.account, "us-east-1") == {}
