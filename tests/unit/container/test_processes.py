"""Training with two processes: one on each of two hosts, or two that torchrun starts on one host."""

import csv
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.container.jobs import CONTAINER, SETTINGS, Job, draw_job, draw_split, names, pack, read_events
from training.container.classifier import job as module
from training.container.classifier.networks import ResNet9
from training.container.classifier.processes import ProcessGroup
from training.container.classifier.settings import parse


def input_config(distribution: str) -> dict[str, str]:
    """Return the environment variables with which SageMaker describes the distribution of the channel `train`."""
    return {
        "SM_NETWORK_INTERFACE_NAME": "lo",
        "SM_INPUT_DATA_CONFIG": json.dumps({"train": {"S3DistributionType": distribution}}),
    }


def run_hosts(jobs: list[Job], *, distribution: str, **hyperparameters: object) -> list[list[dict[str, Any]]]:
    """Run train.py in one process for each job, as the hosts of one training job, and return each host's events."""
    port = free_port()
    running = []
    for rank, job in enumerate(jobs):
        environment = job.environment(**hyperparameters) | {
            "RANK": str(rank),
            "WORLD_SIZE": str(len(jobs)),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            **input_config(distribution),
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
    logs = []
    for process in running:
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        logs.append(read_events(output))
    return logs


def free_port() -> int:
    """Return a TCP port that no process uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.usefixtures("_no_export")
def test_two_hosts_give_the_same_metrics_as_one_host(tmp_path: Path) -> None:
    # GIVEN 41 images, so that two hosts cannot divide the last batch evenly
    alone, first, second = (draw_job(tmp_path / name, train=41) for name in ("alone", "first", "second"))
    settings: dict[str, Any] = {**SETTINGS, "pretrained": 1}
    alone.run(**settings)

    # WHEN
    first_events, second_events = run_hosts([first, second], distribution="FullyReplicated", **settings)

    # THEN the metrics differ only by rounding, because two hosts add numbers in a different order than one
    (expected,), (found,) = alone.metrics["epochs"], first.metrics["epochs"]
    for name in ("train_accuracy", "train_loss", "validation_loss"):
        assert found[name] == pytest.approx(expected[name], rel=0.01)

    # AND only rank 0 logs and writes
    assert names(first_events) == ["data", "epoch"]
    assert (first_events[0]["training_images"], first_events[0]["processes"]) == (41, 2)
    assert second_events == []
    assert not second.model.exists()


@pytest.mark.usefixtures("_no_export")
def test_processes_of_one_host_divide_the_shards_of_the_host(tmp_path: Path) -> None:
    # GIVEN two processes that torchrun starts on one host with 41 images
    job = draw_job(tmp_path, train=41)
    pack(job.folder / "train")
    pack(job.folder / "validation")
    job.checkpoints.mkdir()
    settings: dict[str, Any] = {**SETTINGS, "epochs": 2}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", f"--master_port={free_port()}"]

    # WHEN
    result = subprocess.run(
        [*torchrun, str(CONTAINER / "train.py")],
        env=job.environment(**settings) | input_config("ShardedByS3Key"),
        capture_output=True,
        text=True,
        timeout=300,
    )

    # THEN only rank 0 logs, and each process trains on 20 images per epoch, because the smaller of the two shares
    # has 20 images
    assert result.returncode == 0, result.stderr
    events = read_events(result.stdout)
    assert names(events) == ["data", "patches_fitted", "epoch", "epoch"]
    assert events[0]["training_images"] == 21
    measured = job.metrics
    assert measured["images_per_second"] * measured["seconds"] == pytest.approx(2 * 20 * 2)
    with job.predictions.open() as stream:
        assert [len(line) for line in csv.reader(stream)] == [4] * 12

    # AND a job with one process ignores the checkpoint of two processes, because its batches differ
    events = job.run(**settings)
    assert names(events) == ["data", "checkpoint_ignored", "patches_fitted", "epoch", "epoch"]
    assert "another number of processes" in events[1]["reason"]


def test_hosts_with_different_shards_divide_the_pretraining_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN one of two hosts, which has only its own training shards, but all shards of the channel `pretrain`
    job = draw_job(tmp_path)
    draw_split(job.folder / "pretrain", 40, seed=5)
    pack(job.folder / "pretrain")
    monkeypatch.setenv("SM_CHANNEL_PRETRAIN", str(job.folder / "pretrain"))
    groups: list[ProcessGroup] = []

    class FakeTrainer:
        def __init__(self, network: object, train: object, settings: object, group: ProcessGroup) -> None:
            groups.append(group)

        def run(self, *_: object) -> None:
            """Train nothing."""

    monkeypatch.setattr(module, "Trainer", FakeTrainer)
    group = ProcessGroup(1, 2, torch.device("cpu"), sharded=True)

    # WHEN
    module.pretrain(ResNet9(2), parse({"classes": "light,dark", "pretrained": 0, "pretrain_epochs": 1}), group)

    # THEN the pretraining data are treated as replicated on both hosts
    assert groups == [ProcessGroup(1, 2, torch.device("cpu"), sharded=False)]
