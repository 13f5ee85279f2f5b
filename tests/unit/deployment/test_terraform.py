"""The `Terraform` class runs Terraform commands with the state, variables and files of one environment."""

import json
import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from common.errors import OperatorError
from deployment import terraform as module
from deployment.terraform import Plan, Terraform, TerraformError


class FakeProgram:
    """A program that is run instead of Terraform and records each command."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._responses = ""
        self.record = path.with_name("commands")
        self.respond("init")

    def respond(self, command: str, text: str = "", code: int = 0, condition: str = "true") -> None:
        """Make a command print `text` and exit with `code`; other commands print nothing and succeed.

        Parameters
        ----------
        condition : shell command; if it fails, the program uses the response of an earlier call of `respond`
        """
        output = f"echo {shlex.quote(text)}" + (" >&2" if code == 1 else "")
        self._responses = f'if [ "$1" = {command} ] && {condition}; then {output}; exit {code}; fi\n{self._responses}'
        self._path.write_text(
            "#!/bin/sh\n"
            "backend=no; test -e backend.tf && backend=yes\n"
            'echo "$1 $TF_DATA_DIR backend=$backend config=$TF_CLI_CONFIG_FILE name=$TF_VAR_name" '
            f">> {self.record}\n"
            f"{self._responses}"
        )
        self._path.chmod(0o755)

    def commands(self) -> list[str]:
        """Return a line for each command that was run."""
        return self.record.read_text().splitlines() if self.record.is_file() else []


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProgram:
    """A program that `Terraform` runs instead of Terraform."""
    path = tmp_path / "terraform-program"
    monkeypatch.setattr(module, "find_terraform", lambda: str(path))
    monkeypatch.setattr(module, "find_mirror", lambda lock_file: None)
    for name in ("TF_DATA_DIR", "TF_CLI_CONFIG_FILE", "TF_VAR_name"):
        monkeypatch.delenv(name, raising=False)
    return FakeProgram(path)


def make_terraform(tmp_path: Path, environment: str = "local", **variables: str) -> Terraform:
    """Return a `Terraform` for a root module without resources."""
    directory = tmp_path / "root"
    (directory / "environments").mkdir(parents=True, exist_ok=True)
    return Terraform(environment, logs=tmp_path / "logs", directory=directory, variables=variables)


def test_plan_counts_the_changed_resources(tmp_path: Path, program: FakeProgram) -> None:
    # GIVEN
    program.respond("plan", "Plan: 3 to add, 2 to change, 1 to destroy.", code=2)

    # WHEN
    plan = make_terraform(tmp_path).plan()

    # THEN
    assert plan.changes == 6
    assert not plan.empty
    assert plan.summary == "Plan: 3 to add, 2 to change, 1 to destroy"


def test_summary_of_a_plan_that_changes_only_outputs_says_so(tmp_path: Path, program: FakeProgram) -> None:
    # GIVEN the output of a plan without a line that begins with "Plan:"
    program.respond("plan", "Changes to Outputs:\n  + some = 1", code=2)

    # WHEN
    plan = make_terraform(tmp_path).plan()

    # THEN
    assert not plan.empty
    assert plan.summary == "Plan: only outputs change"


def test_plan_passes_variables_to_terraform(tmp_path: Path, program: FakeProgram) -> None:
    # GIVEN a program that finds changes only if a variables file contains the value 3
    files = "$(printf '%s\\n' \"$@\" | sed -n 's/^-var-file=//p')"
    summary = "Plan: 1 to add, 0 to change, 0 to destroy."
    program.respond("plan", summary, code=2, condition=f"grep -qs '\"count\": 3' {files}")

    # WHEN / THEN
    assert make_terraform(tmp_path).plan(variables={"count": 3}).changes == 1
    assert make_terraform(tmp_path).plan().empty


def test_error_of_a_failed_plan_contains_terraforms_error_and_the_log_path(
    tmp_path: Path, program: FakeProgram
) -> None:
    # GIVEN
    program.respond("plan", "Error: Invalid value for variable", code=1)

    # WHEN / THEN
    with pytest.raises(TerraformError, match=r"Invalid value for variable \(full output: .*terraform-plan.log\)"):
        make_terraform(tmp_path).plan()


def test_empty_plan_is_not_applied(tmp_path: Path, program: FakeProgram) -> None:
    make_terraform(tmp_path).apply(Plan(tmp_path / "plan", 0, True, "No changes."))

    assert program.commands() == []


def test_error_for_a_missing_plan_names_make_plan(tmp_path: Path, program: FakeProgram) -> None:
    with pytest.raises(OperatorError, match="run `make plan ENV=local` first"):
        make_terraform(tmp_path).saved_plan()


def test_terraform_objects_of_two_environments_do_not_affect_each_other(tmp_path: Path, program: FakeProgram) -> None:
    # GIVEN an environment whose state is in S3, and an environment whose state is local
    before = dict(os.environ)
    remote, local = make_terraform(tmp_path, "dev"), make_terraform(tmp_path, "local")
    remote.backend_file.write_text('bucket = "some-bucket"\n')
    for data_directory in (".terraform/dev", ".terraform"):
        (remote.directory / data_directory).mkdir(exist_ok=True, parents=True)
        (remote.directory / data_directory / "terraform.tfstate").write_text("{}")
    program.respond("output", json.dumps({"name": {"value": "some"}}))

    # WHEN
    outputs = [terraform.outputs() for terraform in (remote, local, remote)]

    # THEN
    assert outputs == [{"name": "some"}] * 3
    assert [command.split(" config")[0] for command in program.commands()] == [
        "output .terraform/dev backend=yes",
        "output .terraform backend=no",
        "output .terraform/dev backend=yes",
    ]
    assert dict(os.environ) == before


def test_constructor_changes_neither_files_nor_environment_variables(tmp_path: Path, program: FakeProgram) -> None:
    # GIVEN
    remote = make_terraform(tmp_path, "dev")
    remote.backend_file.write_text('bucket = "some-bucket"\n')
    block = remote.directory / "backend.tf"
    before = dict(os.environ)

    # WHEN / THEN the backend block is neither created nor deleted
    make_terraform(tmp_path, "dev")
    assert not block.exists()
    block.write_text("some block")
    make_terraform(tmp_path, "local")
    assert block.read_text() == "some block"
    assert dict(os.environ) == before


def test_path_of_a_missing_cli_configuration_is_not_passed_to_terraform(
    tmp_path: Path, program: FakeProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    existing = tmp_path / "terraformrc"
    existing.touch()

    # WHEN
    for path in (existing, tmp_path / "nothing"):
        monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(path))
        make_terraform(tmp_path).init()

    # THEN
    assert [command.split()[3] for command in program.commands()] == [f"config={existing}", "config="]


def test_terraform_variables_are_environment_variables_only_of_the_terraform_process(
    tmp_path: Path, program: FakeProgram
) -> None:
    make_terraform(tmp_path, name="some-value").init()

    assert program.commands()[0].endswith("name=some-value")
    assert "TF_VAR_name" not in os.environ


@pytest.mark.parametrize(("command", "run"), [("plan", Terraform.plan), ("output", Terraform.outputs)])
def test_init_runs_only_if_terraform_requires_it(
    tmp_path: Path, program: FakeProgram, command: str, run: Callable[[Terraform], object]
) -> None:
    # GIVEN a `terraform init` that was killed before it installed the provider
    terraform = make_terraform(tmp_path, "dev")
    terraform.backend_file.write_text('bucket = "some-bucket"\n')
    (terraform.directory / ".terraform" / "dev").mkdir(parents=True)
    (terraform.directory / ".terraform.lock.hcl").touch()
    program.respond(command, "{}")
    error = 'Error: Required plugins are not installed: run "terraform init"'
    program.respond(command, error, 1, f"! grep -q ^init {program.record}")

    # WHEN
    run(terraform)
    run(terraform)

    # THEN `init` runs only after the first command, twice, because the state is in S3
    assert [line.split()[0] for line in program.commands()] == [command, "init", "init", command, command]


@pytest.mark.parametrize("content", ["", '{"version": 4, "resou'], ids=["empty", "cut off"])
def test_outputs_of_an_incomplete_state_are_an_error(tmp_path: Path, program: FakeProgram, content: str) -> None:
    # GIVEN
    terraform = make_terraform(tmp_path)
    terraform.local_state.path.write_text(content)

    # WHEN / THEN
    with pytest.raises(TerraformError, match=r"is incomplete, .* run `make up ENV=local` or `make down ENV=local`"):
        terraform.outputs()


def test_plan_ignores_the_import_blocks_of_another_environments_killed_plan(
    tmp_path: Path, program: FakeProgram
) -> None:
    # GIVEN import blocks that a killed plan of `dev` did not delete
    copy = tmp_path / "copy"
    program.respond("plan", "", 0, f"cp imports.tf {copy}")
    make_terraform(tmp_path, "dev").plan(imports={"aws_sns_topic.this": "arn:topic"})
    shutil.copy(copy, tmp_path / "root" / "imports.tf")

    # WHEN
    program.respond("plan", "Error: import blocks", 1, "test -e imports.tf")

    # THEN
    make_terraform(tmp_path, "local").plan()


def test_plan_imports_resources_and_deletes_the_import_blocks(tmp_path: Path, program: FakeProgram) -> None:
    # GIVEN a file with import blocks that a killed process did not delete
    terraform = make_terraform(tmp_path)
    file = terraform.directory / "imports.tf"
    file.write_text("old")
    copy = tmp_path / "copy"
    program.respond("plan", "Plan: 1 to import, 0 to add, 0 to change, 0 to destroy.", 2, f"cp imports.tf {copy}")

    # WHEN
    plan = terraform.plan(imports={'aws_sns_topic.this["a"]': "arn:topic"})

    # THEN
    assert plan.summary.startswith("Plan: 1 to import")
    assert copy.read_text() == 'import {\n  to = aws_sns_topic.this["a"]\n  id = "arn:topic"\n}\n'
    assert not file.exists()


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("", {"aws_s3_bucket.b", "aws_s3_bucket.c"}),
        ("Error: BucketAlreadyExists", set()),
        ("Apply complete! Resources: 1 added", set()),
    ],
    ids=["killed", "failed", "complete"],
)
def test_interrupted_creations_are_the_resources_that_a_killed_apply_started_but_did_not_complete(
    tmp_path: Path, end: str, expected: set[str]
) -> None:
    # GIVEN
    terraform = make_terraform(tmp_path)
    terraform.logs.mkdir()
    (terraform.logs / "terraform-apply.log").write_text(
        "aws_s3_bucket.a: Creating...\naws_s3_bucket.b: Creating...\naws_s3_bucket.c: Importing... [id=c]\n"
        f"aws_s3_bucket.a: Creation complete after 1s [id=a]\n{end}"
    )

    # WHEN / THEN
    assert terraform.interrupted_creations() == expected
