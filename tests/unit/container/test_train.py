"""The process that a training container runs: what it leaves, and what it says when it cannot."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.unit.container.jobs import CONTAINER, Job, draw_split, pack, write_manifest
from training.algorithms import PyTorch

ROOT = Path(__file__).resolve().parents[3]


def test_the_model_answers_batches_of_any_size(trained: Job) -> None:
    # GIVEN
    session = onnxruntime.InferenceSession(trained.model / "model.onnx")

    # WHEN
    answers = {n: session.run(None, {"images": np.zeros((n, 32, 32, 3), np.uint8)})[0] for n in (1, 3)}

    # THEN
    for n, probabilities in answers.items():
        assert probabilities.shape == (n, 2)
        assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("pretrained", "size"), [(0, 48), (0, 24), (1, 128)])
def test_the_model_takes_images_of_the_size_that_it_was_trained_on(job: Job, pretrained: int, size: int) -> None:
    # WHEN
    answer = job.run(classes="light,dark", pretrained=pretrained, epochs=1, batch_size=2, image_size=size)

    # THEN
    assert answer.returncode == 0, answer.stderr
    session = onnxruntime.InferenceSession(job.model / "model.onnx")
    for n in (1, 3):
        (probabilities,) = session.run(None, {"images": np.zeros((n, size, size, 3), np.uint8)})
        assert probabilities.shape == (n, 2)


def test_the_model_describes_itself_and_brings_its_code(trained: Job) -> None:
    # WHEN
    description = json.loads((trained.model / "model.json").read_text())

    # THEN
    assert description["classes"] == ["light", "dark"]
    assert description["input"]["size"] == 32
    assert description["temperature"] > 0
    assert description["hyperparameters"]["epochs"] == 1
    for name in ("inference.py", "pictures.py"):
        assert (trained.model / "code" / name).read_bytes() == (CONTAINER / name).read_bytes()
    assert "onnxruntime" in (trained.model / "code" / "requirements.txt").read_text()
    assert {path.name for path in trained.model.iterdir()} == {"code", "model.json", "model.onnx"}


def test_the_figures_are_those_of_each_rows_answer(trained: Job) -> None:
    # GIVEN
    output = trained.folder / "output" / "data"
    with (output / "validation.csv").open() as stream:
        rows = list(csv.reader(stream))

    # WHEN
    measured = json.loads((output / "metrics.json").read_text())

    # THEN
    right = sum((float(light) < float(dark)) == (label == "1") for _, label, light, dark in rows)
    assert len(rows) == measured["validation"]["n"] == 12
    assert measured["validation"]["correct"] == right
    assert measured["validation"]["accuracy"] == right / 12
    assert len(measured["epochs"]) == 1
    assert measured["epochs"][-1]["validation_accuracy"] == measured["validation"]["accuracy"]
    assert measured["seconds"] > measured["epochs"][-1]["seconds"]  # patches are drawn before


def test_the_same_seed_gives_the_same_model(trained: Job, tmp_path: Path) -> None:
    # GIVEN the same images once more
    again = Job(tmp_path)
    draw_split(again.folder / "train", 40, seed=1)
    draw_split(again.folder / "validation", 12, seed=2)

    # WHEN
    answer = again.run(classes="light,dark", pretrained=0, epochs=1, batch_size=16)

    # THEN
    table = Path("output") / "data" / "validation.csv"
    assert (again.folder / table).read_bytes() == (trained.folder / table).read_bytes()

    # AND the metrics' expressions find one value an epoch each in what it printed
    for name, expression in PyTorch.metrics.items():
        found = re.findall(expression, answer.stdout)
        assert len(found) == 1, name
        float(found[0])


def remove_image(job: Job) -> None:
    (job.folder / "train" / "image_1.png").unlink()


def break_image(job: Job) -> None:
    (job.folder / "train" / "image_1.png").write_bytes(b"no image")


def empty_manifest(job: Job) -> None:
    write_manifest(job.folder / "train", "")


def third_class(job: Job) -> None:
    write_manifest(job.folder / "train", "0\t0\timage_0.png\n1\t2\timage_1.png\n")


def way_out(job: Job) -> None:
    write_manifest(job.folder / "train", "0\t0\t../validation/image_0.png\n")


def no_channel(job: Job) -> None:
    (job.folder / "train_lst").rename(job.folder / "elsewhere")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (remove_image, "the manifest names image_1.png, and the channel does not have it"),
        (break_image, "image_1.png: this is no PNG or JPEG"),
        (empty_manifest, "train.lst is empty"),
        (third_class, "image_1.png of train: class 2 is out of range, there are 2 classes"),
        (way_out, "lies outside the channel"),
        (no_channel, "the job needs the channel train_lst"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_data_that_cannot_be_trained_on_is_named(job: Job, damage: Callable[[Job], None], reason: str) -> None:
    # GIVEN
    from data import read_channel
    from errors import InputError

    damage(job)
    channels = {
        f"SM_CHANNEL_{name.upper()}": str(job.folder / name)
        for name in ("train", "train_lst")
        if (job.folder / name).is_dir()
    }

    # WHEN / THEN
    with pytest.raises(InputError, match=re.escape(reason)) as caught:
        read_channel("train", classes=2, size=32, environment=channels)
    assert "\n" not in str(caught.value)


def test_too_few_images_are_refused_before_anything_is_learned(tmp_path: Path) -> None:
    # GIVEN one
    job = Job(tmp_path)
    draw_split(job.folder / "train", 1, seed=1)
    draw_split(job.folder / "validation", 4, seed=2)

    # WHEN
    answer = job.run(classes="light,dark", pretrained=0, epochs=1)

    # THEN
    assert answer.returncode == 1
    assert job.failure == "1 rows in batches of 64 are too few for 1 processes"
    assert "patches" not in answer.stdout


def test_a_job_that_cannot_run_leaves_its_reason_and_no_model(job: Job) -> None:
    # WHEN
    answer = job.run(classes="light,dark", epoch=3)

    # THEN
    assert answer.returncode == 1
    assert job.failure.startswith("hyperparameter epoch is unknown")
    assert "\n" not in job.failure
    assert "Traceback" not in answer.stderr
    assert not job.model.exists()


def test_a_network_from_nothing_can_learn_other_classes_first(job: Job) -> None:
    # GIVEN more classes in a channel of their own
    draw_split(job.folder / "pretrain", 40, seed=5)
    pack(job.folder / "pretrain")

    # WHEN
    answer = job.run(classes="light,dark", pretrained=0, pretrain_epochs=2, epochs=1, batch_size=4)

    # THEN
    assert answer.returncode == 0, answer.stderr
    assert "40 images of 2 other classes to learn from first" in answer.stdout
    assert answer.stdout.count("pretraining epoch") == 2
    assert answer.stdout.index("pretraining epoch 2 of 2") < answer.stdout.index("epoch=1/1")
    assert (job.model / "model.onnx").is_file()


def test_other_classes_need_their_channel(job: Job) -> None:
    # WHEN
    answer = job.run(classes="light,dark", pretrained=0, pretrain_epochs=2, epochs=1, batch_size=4)

    # THEN
    assert answer.returncode == 1
    assert job.failure == "the job needs the channel pretrain"
