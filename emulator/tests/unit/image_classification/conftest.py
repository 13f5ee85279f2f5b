"""Fixtures of the algorithm's tests."""

from pathlib import Path

import pytest
import torch

from .data import Job


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job that succeeds as it is."""
    return Job(tmp_path, monkeypatch)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Networks this small gain nothing by more, and lose much on a busy machine."""
    torch.set_num_threads(1)
