"""An account's ground: laid once, its state in its own bucket, found again in a new clone; one apply at a time."""

import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.state import StateMissingError, keep
from scripts.terraform import Terraform, TerraformError, find_terraform
from tests.contract.conftest import RunningEmulator
from tests.contract.test_terraform import (
    make_account,  # noqa: F401 (the fixture `account`)
    make_project,  # noqa: F401 (the fixture `project`)
)
from tests.contract.waiting import eventually

BUCKET = "scones-state-123456789012"


@pytest.fixture
def bootstrap(account: RunningEmulator, project: Path, monkeypatch: pytest.MonkeyPatch) -> Terraform:
    """terraform/bootstrap in a clone."""
    monkeypatch.setenv("TF_VAR_repository", "scones/vehicles")
    monkeypatch.delenv("TF_DATA_DIR", raising=False)
    return Terraform("local", logs=project / "build", directory=project / "terraform" / "bootstrap")


def copied(terraform: Terraform, to: Path) -> Terraform:
    """The same in another clone, which knows nothing yet."""
    ignored = shutil.ignore_patterns(".terraform", "*.tfstate*", "backend.tf", "*.s3.tfbackend")
    shutil.copytree(terraform.directory.parents[1], to, ignore=ignored)
    return Terraform("local", logs=to / "build", directory=to / "terraform" / "bootstrap")


def test_the_ground_is_laid_once_and_found_again(
    account: RunningEmulator,
    bootstrap: Terraform,
    tmp_path: Path,
) -> None:
    # WHEN
    bootstrap.apply(bootstrap.plan())
    keep(bootstrap, "bootstrap")

    # THEN the state is in its own bucket, and no longer beside the configuration
    listed = account.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [each["Key"] for each in listed] == ["bootstrap.tfstate"]
    assert not (bootstrap.directory / "terraform.tfstate").exists()
    assert bootstrap.plan().empty

    # AND another clone goes on with it
    other = copied(bootstrap, tmp_path / "other")
    keep(other, "bootstrap")
    assert other.outputs()["state_bucket"] == BUCKET
    assert other.plan().empty

    # AND a workflow of another repository, or of another environment, is no deployer
    role = account.client("iam").get_role(RoleName="scones-deploy-prod")["Role"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    conditions = statement["Condition"]["StringEquals"]
    assert conditions["token.actions.githubusercontent.com:sub"] == "repo:scones/vehicles:environment:prod"
    assert conditions["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"


def test_of_two_at_once_one_is_refused(
    account: RunningEmulator,
    bootstrap: Terraform,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN a state in S3 that another apply has locked, as one that waits for an answer has
    bootstrap.apply(bootstrap.plan())
    keep(bootstrap, "bootstrap")
    other = copied(bootstrap, tmp_path / "other")
    keep(other, "bootstrap")
    monkeypatch.setattr("scripts.terraform.LOCK_TIMEOUT", "1s")
    monkeypatch.setenv("TF_VAR_environments", '["dev"]')
    waiting = subprocess.Popen(
        [find_terraform(), "apply", "-no-color"],
        cwd=bootstrap.directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    lock = {"Bucket": BUCKET, "Prefix": "bootstrap.tfstate.tflock"}
    eventually(lambda: account.client("s3").list_objects_v2(**lock)["KeyCount"] == 1, seconds=60)

    # WHEN, THEN
    with pytest.raises(TerraformError, match="state lock"):
        other.plan()

    # AND once that one has ended, the other may
    waiting.communicate(b"no\n", timeout=60)
    assert not other.plan().empty


def test_without_the_ground_it_is_said_how_to_lay_it(bootstrap: Terraform) -> None:
    with pytest.raises(StateMissingError, match="make bootstrap REPOSITORY=owner/name"):
        keep(bootstrap, "bootstrap")
    assert not bootstrap.backend_file.exists()
