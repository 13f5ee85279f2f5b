"""Environments are applied, a second plan is empty, and their destruction leaves the account empty.

The commands that apply and destroy `dev` are killed at random moments, together with the provider, and then run again.
`prod` is only applied here: test_policies.py destroys it.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployment.terraform import TerraformError
from deployment.tools import find_terraform
from tests.contract.permissions import missing_actions, requested_actions
from tests.support.account import resources
from tests.support.terraform import Deployment, make_terraform, new_deployment, running_provider, zip_functions
from tests.support.waiting import eventually

# The commands are killed after at most this number of resources. Terraform creates and destroys more resources, so the
# commands are still running when they are killed.
CREATED, DESTROYED = 45, 40


@pytest.mark.xdist_group("endpoint")
def test_terraforms_account_tests_pass_and_leave_the_account_empty(
    empty_local: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    empty_local.select(monkeypatch)
    command = [find_terraform(), "test", "-no-color", "-test-directory=tests/account"]

    # WHEN
    result = subprocess.run(
        [*command, "-var-file=environments/local.tfvars"],
        cwd=empty_local.project / "terraform",
        capture_output=True,
        text=True,
        timeout=600,
    )

    # THEN
    assert result.returncode == 0, result.stdout + result.stderr
    assert "3 passed, 0 failed" in result.stdout
    assert resources(empty_local.account, "us-east-1") == {}
    assert missing_actions(requested_actions(empty_local.requests), "deploy") == set()


@pytest.fixture
def moments() -> random.Random:
    """A random generator for the moments at which commands are killed.

    The test prints the generator's seed. The environment variable SEED sets the seed, in order to repeat a failed test.
    """
    seed = os.environ.get("SEED") or str(random.SystemRandom().randrange(10**6))
    print(f"SEED={seed}")
    return random.Random(seed)


@contextlib.contextmanager
def provider(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run a new provider process for Terraform, and kill this process at the end of the context."""
    with running_provider(deployment.project / "terraform", os.environ, deployment.requests) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield


def start(deployment: Deployment, action: str) -> "subprocess.Popen[bytes]":
    """Start a command of `make` in a new process group, so that `kill` also kills the command's Terraform process."""
    command = [sys.executable, "-m", "scripts.provision", action, "--env", deployment.terraform.environment]
    return subprocess.Popen(command, cwd=deployment.project, start_new_session=True)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a command that `start` has started, and the command's Terraform process."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.xdist_group("dev")
def test_dev_is_applied_and_destroyed_after_terraform_was_killed(
    tmp_path: Path, moments: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_deployment("dev", tmp_path) as dev:
        dev.select(monkeypatch)
        state, directory = dev.terraform.local_state.path, dev.project / "build" / "dev"
        log = directory / "terraform-apply.log"

        def await_line(process: "subprocess.Popen[bytes]", line: str, count: int) -> None:
            """Wait until Terraform has logged a text `count` times, and fail if the command ends before."""

            def reached() -> bool:
                assert process.poll() is None, f"the command ended before {count} times {line}"
                return log.is_file() and log.read_text().count(line) >= count

            eventually(reached, seconds=120)

        # GIVEN a killed apply, and a state without the resources that were created last. A state in S3 may lack them
        # too, because Terraform writes the state to S3 only every 20 seconds.
        with provider(dev, monkeypatch):
            process = start(dev, "up")
            written, killed = sorted(moments.sample(range(1, CREATED), 2))
            await_line(process, ": Creating...", written)
            content = state.read_bytes() if state.exists() else b""
            await_line(process, ": Creating...", killed)
            kill(process)
        state.write_bytes(content)
        old_plan = shutil.copy2(directory / "terraform.tfplan", tmp_path)

        with provider(dev, monkeypatch):
            # WHEN the apply is repeated
            result = dev.run("provision", "up")

            # THEN the environment is complete
            assert result.returncode == 0, result.stderr
            check_second_plan(dev)

            # GIVEN a killed destroy
            log.unlink()
            process = start(dev, "down")
            await_line(process, ": Destroying... [", moments.randint(1, DESTROYED))
            kill(process)

        with provider(dev, monkeypatch):
            # WHEN the destroy is repeated
            result = dev.run("provision", "down")

            # THEN the account is empty, and the deployment role may send all requests that the provider sent
            assert result.returncode == 0, result.stderr
            assert resources(dev.account, "us-east-1") == {}
            assert missing_actions(requested_actions(dev.requests), "deploy") == set()

            # AND another `make down` finds nothing to destroy
            result = dev.run("provision", "down")
            assert result.returncode == 0, result.stderr

            # AND Terraform refuses a plan that is older than the state
            shutil.copy2(old_plan, directory / "terraform.tfplan")
            result = dev.run("provision", "apply")
            assert result.returncode == 1
            assert "Saved plan is stale" in result.stderr


@pytest.mark.xdist_group("production")
def test_prod_in_a_vpc_is_applied_and_a_second_plan_is_empty(
    applied_production: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied_production.select(monkeypatch)
    check_second_plan(applied_production)


def check_second_plan(deployment: Deployment) -> None:
    """Check that a second plan is empty, and that the role for pull requests may create this plan."""
    stack = deployment.stack
    assert stack.environment == deployment.terraform.environment
    assert stack.endpoint_config_name is None
    assert resources(deployment.account, stack.region)
    start = deployment.requests.stat().st_size
    plan = deployment.terraform.plan()
    assert plan.empty, plan.summary
    assert missing_actions(requested_actions(deployment.requests, start), "plan") == set()


@pytest.fixture
def _edited_function(local: Deployment) -> Iterator[None]:
    """Edit the source of the function filter and zip the functions again; undo this after the test."""
    handler = local.project / "lambdas" / "filter" / "handler.py"
    source = handler.read_text()
    handler.write_text(source + "\n# an edit\n")
    zip_functions(local.project)
    yield
    handler.write_text(source)
    zip_functions(local.project)


@pytest.mark.xdist_group("local")
@pytest.mark.usefixtures("_edited_function")
def test_plan_after_the_edit_of_a_function_changes_only_this_function(local: Deployment) -> None:
    assert local.terraform.plan().summary == "Plan: 0 to add, 1 to change, 0 to destroy"


@pytest.mark.xdist_group("local")
def test_function_code_that_was_replaced_outside_terraform_fails_a_plan_and_is_restored(local: Deployment) -> None:
    # GIVEN a function whose code was replaced with the code of another function
    awslambda = local.account.client("lambda")
    built = awslambda.get_function(FunctionName="scones-local-filter")["Configuration"]["CodeSha256"]
    other = (local.project / "build" / "lambdas" / "classify.zip").read_bytes()
    awslambda.update_function_code(FunctionName="scones-local-filter", ZipFile=other)

    # WHEN / THEN
    with pytest.raises(
        TerraformError, match="scones-local-filter was replaced outside Terraform: run `make up ENV=local`"
    ):
        local.terraform.plan()
    assert local.run("provision", "drift").returncode == 1

    # WHEN `make up` runs
    result = local.run("provision", "up")

    # THEN
    assert result.returncode == 0, result.stderr
    assert "No changes" in result.stdout
    assert awslambda.get_function(FunctionName="scones-local-filter")["Configuration"]["CodeSha256"] == built


@pytest.mark.xdist_group("local")
def test_plan_is_refused_if_the_state_belongs_to_another_environment(local: Deployment) -> None:
    with pytest.raises(TerraformError, match="workspace"):
        make_terraform(local.project, "dev").plan()
