"""An account's ground: laid once, its state in its own bucket, found again in a new clone; one apply at a time."""

import argparse
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deployment.remote_state import StateBucketMissingError, move_state
from deployment.terraform import Terraform, TerraformError
from deployment.tools import find_terraform
from emulator.tests.contract.waiting import eventually
from scripts import bootstrap as command
from scripts.command import Environment
from tests.contract.conftest import RunningEmulator
from tests.contract.permissions import WITHOUT_RESOURCE, WITHOUT_RESOURCE_ON_THE_GROUND, statements, too_wide
from tests.contract.test_terraform import (
    make_account,  # noqa: F401 (the fixture `account`)
    make_project,  # noqa: F401 (the fixture `project`)
)

BUCKET = "scones-state-123456789012"
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
INLINE_LENGTH, MANAGED_LENGTH = 10_240, 6_144


@pytest.fixture
def bootstrap(account: RunningEmulator, project: Path, monkeypatch: pytest.MonkeyPatch) -> Terraform:
    """terraform/bootstrap in a clone."""
    monkeypatch.setenv("TF_VAR_repository", "scones/vehicles")
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
    move_state(bootstrap, "bootstrap", account.client)

    # THEN the state is in its own bucket, and no longer beside the configuration
    listed = account.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [each["Key"] for each in listed] == ["bootstrap.tfstate"]
    assert not (bootstrap.directory / "terraform.tfstate").exists()
    assert bootstrap.plan().empty

    # AND another clone goes on with it
    other = copied(bootstrap, tmp_path / "other")
    move_state(other, "bootstrap", account.client)
    assert other.outputs()["state_bucket"] == BUCKET
    assert other.plan().empty

    # AND a workflow of another repository, or of another environment, is no deployer
    role = account.client("iam").get_role(RoleName="scones-deploy-prod")["Role"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Condition"]["StringEquals"] == {
        "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
        "token.actions.githubusercontent.com:ref": "refs/heads/main",
        "token.actions.githubusercontent.com:sub": "repo:scones/vehicles:environment:prod",
    }

    # AND IAM takes the policies as long as they are, and each names what it is about
    iam = account.client("iam")
    for name in ("scones-deploy-dev", "scones-deploy-prod", "scones-plan"):
        (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
        document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        assert length(document) <= INLINE_LENGTH, name
        assert too_wide(statements(document), WITHOUT_RESOURCE_ON_THE_GROUND) == set(), name
    for name, boundary in other.outputs()["permissions_boundaries"].items():
        document = iam.get_policy_version(PolicyArn=boundary, VersionId="v1")["PolicyVersion"]["Document"]
        assert length(document) <= MANAGED_LENGTH, name
        assert too_wide(statements(document), WITHOUT_RESOURCE) == set(), name

    # WHEN it is taken down as docs/operations.md says
    pulled = subprocess.run(
        [find_terraform(), "state", "pull"], cwd=other.directory, env=data_directory(), capture_output=True, check=True
    )
    (other.directory / "terraform.tfstate").write_bytes(pulled.stdout)
    other.backend_file.unlink()
    (other.directory / "backend.tf").unlink()
    empty(account.client("s3"), BUCKET)
    last = Terraform("local", logs=other.logs, directory=other.directory)
    last.apply(last.plan(destroy=True))

    # THEN nothing of it is left
    assert account.client("s3").list_buckets()["Buckets"] == []
    assert [each for each in iam.list_roles()["Roles"] if each["RoleName"].startswith("scones-")] == []
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []


def data_directory() -> dict[str, str]:
    """The environment variables of a plain `terraform`, as docs/operations.md says."""
    return {**os.environ, "TF_DATA_DIR": ".terraform/local"}


def length(policy: dict[str, Any]) -> int:
    """Characters of a policy as IAM counts them, without white space."""
    return len(json.dumps(policy, separators=(",", ":")))


def empty(s3: Any, bucket: str) -> None:
    """Delete every version of everything."""
    listed = s3.list_object_versions(Bucket=bucket)
    found = [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]
    objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})


def test_the_command_goes_on_with_what_was_laid_from_another_clone(
    bootstrap: Terraform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    other = copied(bootstrap, tmp_path / "other")
    options = argparse.Namespace(repository="scones/vehicles")

    def lay(clone: Terraform) -> str:
        monkeypatch.setattr(command, "TERRAFORM_DIRECTORY", clone.directory.parent)
        monkeypatch.chdir(clone.directory.parents[1])
        command.main(Environment("local", options))
        return capsys.readouterr().out

    # WHEN
    first, second = lay(bootstrap), lay(other)

    # THEN the second finds what the first has laid, and says the same
    assert "No changes." not in first
    assert "No changes." in second
    for said in (first, second):
        assert 'terraform/environments/dev.tfvars: permissions_boundary = "arn:' in said
        assert 'policy/scones-boundary-dev"' in said
        assert "environment prod: DEPLOY_ROLE_ARN = arn:aws:iam::123456789012:role/scones-deploy-prod" in said


def test_of_two_at_once_one_is_refused(
    account: RunningEmulator,
    bootstrap: Terraform,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN a state in S3 that another apply has locked, as one that waits for an answer has
    bootstrap.apply(bootstrap.plan())
    move_state(bootstrap, "bootstrap", account.client)
    other = copied(bootstrap, tmp_path / "other")
    move_state(other, "bootstrap", account.client)
    monkeypatch.setattr("deployment.terraform.LOCK_TIMEOUT", "1s")
    monkeypatch.setenv("TF_VAR_environments", '["dev"]')
    waiting = subprocess.Popen(
        [find_terraform(), "apply", "-no-color"],
        cwd=bootstrap.directory,
        env=data_directory(),
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


def test_without_the_ground_it_is_said_how_to_lay_it(account: RunningEmulator, bootstrap: Terraform) -> None:
    with pytest.raises(StateBucketMissingError, match="make bootstrap REPOSITORY=owner/name"):
        move_state(bootstrap, "bootstrap", account.client)
    assert not bootstrap.backend_file.exists()
