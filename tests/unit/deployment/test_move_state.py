"""`make state` moves a local state to S3, and can be repeated after an interruption."""

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deployment import remote_state
from deployment.local_state import LocalState
from deployment.remote_state import StateConflictError, StateNotMovedError, check_state_is_moved, move_state

KEY = "dev.tfstate"


class NoSuchKeyError(Exception):
    """The object does not exist."""


class FakeS3:
    """S3 and STS clients of an account with a state bucket."""

    exceptions = SimpleNamespace(NoSuchKey=NoSuchKeyError)

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def __call__(self, service: str) -> "FakeS3":
        return self

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": "123456789012"}

    def head_bucket(self, **_: str) -> dict[str, str]:
        return {"BucketRegion": "eu-west-1"}

    def head_object(self, **request: str) -> None:
        if request["Key"] not in self.objects:
            raise ClientError({"Error": {"Code": "404"}}, "HeadObject")

    def get_object(self, **request: str) -> dict[str, Any]:
        if request["Key"] not in self.objects:
            raise NoSuchKeyError
        return {"Body": io.BytesIO(self.objects[request["Key"]]), "ETag": "etag"}

    def put_object(self, **request: Any) -> None:
        assert request["IfMatch" if request["Key"] in self.objects else "IfNoneMatch"]
        self.objects[request["Key"]] = request["Body"]


class FakeTerraform:
    """Terraform with a local state file and a backend file in a root module's directory."""

    environment = "dev"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.backend_file = directory / "dev.s3.tfbackend"
        self.initialized = 0

    @property
    def local_state(self) -> LocalState:
        return LocalState.of(self.directory)

    def init(self) -> None:
        self.initialized += 1


@pytest.fixture
def terraform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A fake `Terraform` for an empty root module."""
    monkeypatch.delenv("TF_WORKSPACE", raising=False)
    return FakeTerraform(tmp_path)


def state(serial: int = 3, lineage: str = "own") -> dict[str, Any]:
    """Return the content of a state file."""
    return {"version": 4, "serial": serial, "lineage": lineage, "resources": [{"type": "aws_vpc"}]}


def write_local(terraform: Any, **changes: Any) -> None:
    """Write a local state file."""
    terraform.local_state.path.write_text(json.dumps(state(**changes)))


@pytest.mark.parametrize("step", ["put_object", "write", "put_aside", "init"])
def test_interrupted_move_is_finished_by_the_next_run(
    terraform: Any, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    # GIVEN a Ctrl-C at one of the steps
    write_local(terraform)
    s3 = FakeS3()
    owner: Any = {"put_object": s3, "write": remote_state, "put_aside": LocalState, "init": terraform}[step]

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            move_state(terraform, "dev", s3)

    # THEN Terraform uses the state, either in the directory or in S3
    used = json.loads(s3.objects[KEY]) if terraform.backend_file.exists() else terraform.local_state.read()
    assert used == state()

    # WHEN
    move_state(terraform, "dev", s3)

    # THEN
    assert json.loads(s3.objects[KEY]) == state()
    assert 'key = "dev.tfstate"' in terraform.backend_file.read_text()
    assert not terraform.local_state.path.exists()


def test_newer_local_state_replaces_the_state_in_s3(terraform: Any) -> None:
    # GIVEN a local state that was changed after an interrupted move had copied it to S3
    s3 = FakeS3()
    s3.objects[KEY] = json.dumps(state(serial=3)).encode()
    write_local(terraform, serial=4)

    # WHEN
    move_state(terraform, "dev", s3)

    # THEN
    assert json.loads(s3.objects[KEY])["serial"] == 4


def test_state_with_another_lineage_in_s3_is_not_replaced(terraform: Any) -> None:
    # GIVEN
    s3 = FakeS3()
    s3.objects[KEY] = json.dumps(state(lineage="another")).encode()
    write_local(terraform)

    # WHEN / THEN
    with pytest.raises(StateConflictError, match=r"s3://scones-state-123456789012/dev.tfstate and .* different states"):
        move_state(terraform, "dev", s3)
    assert not terraform.backend_file.exists()
    assert terraform.local_state.read() == state()


def test_local_state_of_another_environment_is_kept(terraform: Any) -> None:
    # GIVEN an environment whose state is already in S3, and a local state with another lineage
    s3 = FakeS3()
    s3.objects[KEY] = json.dumps(state(lineage="another")).encode()
    terraform.backend_file.touch()
    write_local(terraform)

    # WHEN
    move_state(terraform, "dev", s3)

    # THEN
    assert terraform.local_state.read() == state()


def test_new_clone_must_run_make_state_if_there_is_a_state_in_s3(terraform: Any) -> None:
    # GIVEN
    s3 = FakeS3()
    check_state_is_moved(terraform, "dev", s3)
    s3.objects[KEY] = json.dumps(state()).encode()

    # WHEN / THEN
    with pytest.raises(StateNotMovedError, match="run `make state ENV=dev`"):
        check_state_is_moved(terraform, "dev", s3)

    # WHEN
    move_state(terraform, "dev", s3)

    # THEN
    check_state_is_moved(terraform, "dev", s3)
    assert terraform.initialized == 1
