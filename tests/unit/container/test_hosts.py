"""Training by two processes, as torchrun starts them on two hosts, and training that was killed."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import train
from hosts import Group
from networks import ResNet9
from settings import parse

from tests.unit.container.jobs import CONTAINER, Job, draw_split, pack

MakeJob = Callable[..., Job]
TABLE = Path("output") / "data" / "validation.csv"


@pytest.fixture
def make_job(tmp_path: Path) -> MakeJob:
    """A maker of jobs on the same drawn images."""

    def make(name: str, train: int = 40) -> Job:
        job = Job(tmp_path / name)
        job.folder.mkdir()
        draw_split(job.folder / "train", train, seed=1)
        draw_split(job.folder / "validation", 12, seed=2)
        return job

    return make


def together(jobs: list[Job], *, distribution: str, local_size: int = 1, **hyperparameters: object) -> list[str]:
    """Run train.py once a job, as the processes of one training, `local_size` of them a host; what each printed."""
    port = free_port()
    running = []
    for rank, job in enumerate(jobs):
        environment = job.environment(**hyperparameters) | {
            "RANK": str(rank),
            "WORLD_SIZE": str(len(jobs)),
            "LOCAL_RANK": str(rank % local_size),
            "LOCAL_WORLD_SIZE": str(local_size),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "SM_NETWORK_INTERFACE_NAME": "lo",
            "SM_INPUT_DATA_CONFIG": json.dumps({"train": {"S3DistributionType": distribution}}),
        }
        running.append(
            subprocess.Popen(
                [sys.executable, str(CONTAINER / "train.py")],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    printed = []
    for process in running:
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        printed.append(output)
    return printed


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def metrics(job: Job) -> Any:
    return json.loads((job.folder / "output" / "data" / "metrics.json").read_text())


def epochs(job: Job) -> list[dict[str, float]]:
    found: list[dict[str, float]] = metrics(job)["epochs"]
    return found


def probabilities(job: Job) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    with (job.folder / TABLE).open() as stream:
        return np.array([[float(each) for each in row[2:]] for row in csv.reader(stream)])


def test_two_hosts_train_the_model_that_one_trains(make_job: MakeJob) -> None:
    # GIVEN 41 images: the last batch does not part evenly
    alone, first, second = (make_job(name, 41) for name in ("alone", "first", "second"))
    settings: dict[str, Any] = {"classes": "light,dark", "pretrained": 1, "epochs": 1, "batch_size": 16}
    answer = alone.run(**settings)
    assert answer.returncode == 0, answer.stderr

    # WHEN
    leader, other = together([first, second], distribution="FullyReplicated", **settings)

    # THEN the figures are the same but for the order in which numbers were added up
    (expected,), (found,) = epochs(alone), epochs(first)
    for name in ("train_accuracy", "train_loss", "validation_loss"):
        assert found[name] == pytest.approx(expected[name], rel=0.01)

    # AND only the leading host speaks and writes
    assert "41 images to train on, in each of 2 processes" in leader
    assert "epoch=1/1" in leader
    assert "epoch=" not in other
    assert not second.model.exists()


def test_hosts_with_shards_of_their_own_train_one_model(make_job: MakeJob) -> None:
    # GIVEN two hosts, of which one has more rows
    jobs = [make_job("first", 40), make_job("second", 24)]
    for job in jobs:
        pack(job.folder / "train")
        pack(job.folder / "validation")

    # WHEN
    leader, _ = together(
        jobs, distribution="ShardedByS3Key", classes="light,dark", pretrained=0, epochs=2, batch_size=16
    )

    # THEN the figures are of what both have seen: as many rows as the one with fewer has, twice
    assert leader.count("epoch=") == 2
    assert probabilities(jobs[0]).shape == (12, 2)
    measured = metrics(jobs[0])
    assert measured["images_per_second"] * measured["seconds"] == pytest.approx(2 * 24 * 2)


def test_the_processes_of_a_host_part_its_rows(make_job: MakeJob) -> None:
    # GIVEN two on one host, of 40 rows
    jobs = [make_job("first", 40), make_job("second", 40)]
    for job in jobs:
        pack(job.folder / "train")
        pack(job.folder / "validation")

    # WHEN
    leader, _ = together(
        jobs, distribution="ShardedByS3Key", local_size=2, classes="light,dark", pretrained=0, epochs=1, batch_size=16
    )

    # THEN
    assert "20 images to train on" in leader
    measured = metrics(jobs[0])
    assert measured["images_per_second"] * measured["seconds"] == pytest.approx(40)


def test_hosts_with_shards_of_their_own_part_each_batch_of_other_classes(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a host of two that were dealt shards, and the channel that both have all of
    job = make_job("first")
    draw_split(job.folder / "pretrain", 40, seed=5)
    pack(job.folder / "pretrain")
    monkeypatch.setenv("SM_CHANNEL_PRETRAIN", str(job.folder / "pretrain"))
    groups: list[Group] = []

    class NoTraining:
        def __init__(self, network: object, rows: object, settings: object, group: Group) -> None:
            groups.append(group)

        def run(self, *_: object) -> None:
            """Not asked for."""

    monkeypatch.setattr(train, "Training", NoTraining)
    group = Group(1, 2, torch.device("cpu"), sharded=True)

    # WHEN
    settings = parse({"classes": "light,dark", "pretrained": 0, "pretrain_epochs": 1})
    train.learn_others(ResNet9(2), settings, group, train.silent)

    # THEN
    assert groups == [Group(1, 2, torch.device("cpu"), sharded=False)]


def test_a_checkpoint_of_another_number_of_hosts_is_not_used(make_job: MakeJob) -> None:
    # GIVEN one of two hosts, which take two steps an epoch where one host takes four
    jobs = [make_job("first"), make_job("second")]
    for job in jobs:
        pack(job.folder / "train")
        pack(job.folder / "validation")
    jobs[0].checkpoints.mkdir()
    settings: dict[str, Any] = {"classes": "light,dark", "pretrained": 0, "epochs": 2, "batch_size": 16}
    together(jobs, distribution="ShardedByS3Key", **settings)

    # WHEN
    answer = jobs[0].run(**settings)

    # THEN
    assert answer.returncode == 0, answer.stderr
    assert "is of other settings or hosts, and training begins anew" in answer.stdout
    assert answer.stdout.count("epoch=") == 2


def test_a_killed_training_goes_on_and_gives_the_same_model(make_job: MakeJob) -> None:
    # GIVEN one that runs through
    settings: dict[str, Any] = {"classes": "light,dark", "pretrained": 0, "epochs": 6, "batch_size": 16}
    whole, killed = make_job("whole"), make_job("killed")
    assert whole.run(**settings).returncode == 0
    killed.checkpoints.mkdir()

    # WHEN another is killed after an epoch, and run again
    process = subprocess.Popen(
        [sys.executable, str(CONTAINER / "train.py")],
        env=killed.environment(**settings),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch=3/6"):
            process.send_signal(signal.SIGKILL)
            break
    process.communicate(timeout=30)
    answer = killed.run(**settings)

    # THEN
    assert answer.returncode == 0, answer.stderr
    trained = sum(line.startswith("epoch=") for line in answer.stdout.splitlines())
    assert 1 <= trained <= 4
    assert "epochs were trained before, and training goes on" in answer.stdout
    assert (killed.folder / TABLE).read_bytes() == (whole.folder / TABLE).read_bytes()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.write_bytes(b"no checkpoint"), "cannot be read, and training begins anew"),
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "cannot be read, and training begins anew"),
        (lambda path: None, "is of other settings or hosts, and training begins anew"),
    ],
    ids=["other content", "cut short", "other settings"],
)
def test_a_checkpoint_that_does_not_fit_is_not_used(
    make_job: MakeJob, damage: Callable[[Path], object], reason: str
) -> None:
    # GIVEN
    job = make_job("job")
    job.checkpoints.mkdir()
    assert job.run(classes="light,dark", pretrained=0, epochs=1, batch_size=16).returncode == 0
    damage(job.checkpoints / "training.pt")

    # WHEN
    answer = job.run(classes="light,dark", pretrained=0, epochs=1, batch_size=16, seed=1)

    # THEN
    assert answer.returncode == 0, answer.stderr
    assert reason in answer.stdout
    assert "epoch=1/1" in answer.stdout


def test_a_checkpoint_executes_nothing(make_job: MakeJob) -> None:
    # GIVEN a pickle that would make a file
    import pickle

    job = make_job("job")
    job.checkpoints.mkdir()
    trace = job.folder / "trace"

    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(trace),)

    (job.checkpoints / "training.pt").write_bytes(pickle.dumps(Trap(), protocol=2))

    # WHEN
    answer = job.run(classes="light,dark", pretrained=0, epochs=1, batch_size=16)

    # THEN
    assert answer.returncode == 0, answer.stderr
    assert "cannot be read" in answer.stdout
    assert not trace.exists()
