import os
from pathlib import Path

import pytest

from common import paths as places
from common.errors import TerraformError
from common.paths import find_mirror, locked_provider
from common.progress import first_error
from deployment.terraform import Plan, Terraform

LOCK = 'provider "registry.terraform.io/hashicorp/aws" {\n  version     = "5.100.0"\n}\n'


@pytest.fixture
def lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(places.MIRROR_VARIABLE, raising=False)
    monkeypatch.delenv("TF_CLI_ARGS_init", raising=False)
    monkeypatch.setattr(places, "STANDARD_MIRRORS", (str(tmp_path / "standard"),))
    monkeypatch.setattr(places, "IMAGE_MIRRORS", (str(tmp_path / "images" / "*"),))
    path = tmp_path / ".terraform.lock.hcl"
    path.write_text(LOCK)
    return path


def make_mirror(folder: Path, lock_file: Path) -> Path:
    (folder / locked_provider(lock_file)).mkdir(parents=True)
    return folder


def test_no_mirror_is_named_where_there_is_none(lock_file: Path) -> None:
    assert find_mirror(lock_file) is None


def test_a_mirror_that_an_image_brings_is_found(lock_file: Path, tmp_path: Path) -> None:
    # GIVEN
    mirror = make_mirror(tmp_path / "images" / "plugins", lock_file)

    # WHEN / THEN
    assert find_mirror(lock_file) == mirror


def test_a_mirror_without_the_locked_version_is_passed_over(lock_file: Path, tmp_path: Path) -> None:
    # GIVEN a mirror that would block the registry, and could not serve what the lock file asks for
    mirror = make_mirror(tmp_path / "images" / "plugins", lock_file)
    lock_file.write_text(LOCK.replace("5.100.0", "5.101.0"))

    # WHEN / THEN
    assert mirror.is_dir()
    assert find_mirror(lock_file) is None


def test_a_standard_mirror_is_left_to_terraform(lock_file: Path, tmp_path: Path) -> None:
    # GIVEN
    make_mirror(tmp_path / "standard", lock_file)
    make_mirror(tmp_path / "images" / "plugins", lock_file)

    # WHEN / THEN
    assert find_mirror(lock_file) is None


def test_the_variable_comes_first(lock_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    make_mirror(tmp_path / "images" / "plugins", lock_file)
    monkeypatch.setenv(places.MIRROR_VARIABLE, str(tmp_path / "mine"))

    # WHEN / THEN
    assert find_mirror(lock_file) == tmp_path / "mine"


def test_the_first_error_comes_in_one_line() -> None:
    # GIVEN
    text = """
aws_s3_bucket.this: Creating...
╷
│ Error: creating S3 Bucket (scones): BucketAlreadyExists
│ 
│   with module.storage.aws_s3_bucket.this,
│   on modules/storage/main.tf line 1, in resource "aws_s3_bucket" "this":
│    1: resource "aws_s3_bucket" "this" {
│ 
│ The name is taken.
╵
"""
    # WHEN / THEN
    assert first_error(text) == "creating S3 Bucket (scones): BucketAlreadyExists The name is taken."


def test_a_condition_that_is_not_met_comes_with_its_message_and_without_its_code() -> None:
    # GIVEN
    text = """
╷
│ Error: Resource postcondition failed
│ 
│   on main.tf line 29, in resource "terraform_data" "environment":
│   29:       condition     = self.output == var.environment
│     ├────────────────
│     │ self.output is "local"
│     │ var.environment is "dev"
│ 
│ This state holds the environment local.
╵
╷
│ Error: another
╵
"""
    # WHEN / THEN
    assert first_error(text) == "Resource postcondition failed This state holds the environment local."


def test_output_without_an_error_gives_its_last_line() -> None:
    assert first_error("Initializing...\nkilled\n\n") == "killed"


class FakeDriver:
    """Stands in for python-terraform: prints what it is told to and ends with the code it is told to."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        self.text = text
        self.applied: list[str] = []

    def init(self, **options: object) -> tuple[int, None, None]:
        return 0, None, None

    def plan(self, **options: object) -> tuple[int, None, None]:
        print(self.text)
        return self.code, None, None

    def apply(self, plan: str, **options: object) -> tuple[int, None, None]:
        self.applied.append(plan)
        return self.plan()


def make_terraform(tmp_path: Path, lock_file: Path, driver: FakeDriver) -> Terraform:
    subject = Terraform("local", logs=tmp_path / "logs", directory=lock_file.parent)
    subject._driver = driver
    return subject


def test_a_plan_counts_what_it_changes(tmp_path: Path, lock_file: Path) -> None:
    # GIVEN
    subject = make_terraform(tmp_path, lock_file, FakeDriver(2, "Plan: 3 to add, 2 to change, 1 to destroy."))

    # WHEN
    plan = subject.plan()

    # THEN
    assert plan.changes == 6
    assert not plan.empty


def test_a_plan_that_fails_names_the_error_and_its_log(tmp_path: Path, lock_file: Path) -> None:
    # GIVEN
    subject = make_terraform(tmp_path, lock_file, FakeDriver(1, "Error: Invalid value for variable"))

    # WHEN / THEN
    with pytest.raises(TerraformError, match=r"Invalid value for variable \(all of it: .*terraform-plan.log\)"):
        subject.plan()


def test_an_empty_plan_is_not_applied(tmp_path: Path, lock_file: Path) -> None:
    # GIVEN
    driver = FakeDriver(0, "")
    subject = make_terraform(tmp_path, lock_file, driver)

    # WHEN
    subject.apply(Plan(tmp_path / "plan", 0, True, "No changes."))

    # THEN
    assert driver.applied == []


def test_a_missing_cli_configuration_is_not_named_to_terraform(
    tmp_path: Path, lock_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(tmp_path / "nothing"))

    # WHEN
    make_terraform(tmp_path, lock_file, FakeDriver(0, ""))

    # THEN
    assert "TF_CLI_CONFIG_FILE" not in os.environ
