"""Only a checkpoint of the same training is loaded, and loading a checkpoint executes no code from the file."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.unit.container.jobs import read_events
from training.container.classifier import checkpoint

IDENTITY = {"epochs": 3, "classes": ("light", "dark"), "processes": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the checkpoint of the training IDENTITY."""
    checkpoint.save(tmp_path, IDENTITY, {"network": torch.arange(1000)})
    return tmp_path


def test_checkpoint_of_the_same_training_is_loaded(folder: Path) -> None:
    state = checkpoint.load(folder, IDENTITY)

    assert state is not None
    assert torch.equal(state["network"], torch.arange(1000))


def test_missing_checkpoint_is_not_an_error_and_is_not_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checkpoint.load(tmp_path, IDENTITY) is None
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("damage", "identity", "reason"),
    [
        (lambda path: path.write_bytes(b"no checkpoint"), IDENTITY, "it cannot be read: "),
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), IDENTITY, "it cannot be read: "),
        (lambda path: path.write_bytes(b""), IDENTITY, "it cannot be read: "),
        (lambda path: None, {**IDENTITY, "epochs": 4}, "it has other hyperparameters or another number of processes"),
        (
            lambda path: None,
            {**IDENTITY, "processes": 2},
            "it has other hyperparameters or another number of processes",
        ),
    ],
    ids=["other content", "truncated", "empty", "other hyperparameters", "other number of processes"],
)
def test_unusable_checkpoint_is_ignored_and_its_reason_logged(
    folder: Path,
    damage: Callable[[Path], object],
    identity: dict[str, object],
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # GIVEN
    damage(folder / "training.pt")

    # WHEN
    state = checkpoint.load(folder, identity)

    # THEN
    assert state is None
    (event,) = read_events(capsys.readouterr().out)
    assert (event["event"], event["file"]) == ("checkpoint_ignored", "training.pt")
    assert event["reason"].startswith(reason)


def test_interrupted_save_keeps_the_previous_checkpoint(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a save that is interrupted when half of the file is written
    def write_half(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", write_half)

    # WHEN
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(folder, IDENTITY, {"network": torch.zeros(1)})

    # THEN
    state = checkpoint.load(folder, IDENTITY)
    assert state is not None
    assert torch.equal(state["network"], torch.arange(1000))


def test_loading_a_malicious_checkpoint_executes_no_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN a pickle that creates a folder when it is loaded
    created = tmp_path / "created"

    class CreateFolder:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(created),)

    (tmp_path / "training.pt").write_bytes(pickle.dumps(CreateFolder(), protocol=2))

    # WHEN / THEN
    assert checkpoint.load(tmp_path, IDENTITY) is None
    assert "it cannot be read" in capsys.readouterr().out
    assert not created.exists()
