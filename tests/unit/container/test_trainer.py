"""The trainer: its batches, its learning rate schedule, and its use of bfloat16."""

import pytest
import torch

from training.container.classifier.trainer import BatchPlan, make_schedule, shuffled_batches, supports_bfloat16


def epoch(seed: int, examples: int, used: int, size: int = 4) -> list[int]:
    """Return the indices of the examples in the batches of one epoch.

    Parameters
    ----------
    examples : number of examples on this host
    used : number of examples that each host uses in an epoch
    size : examples in a batch
    """
    plan = BatchPlan(examples=used, size=size, smallest=2)
    batches = list(shuffled_batches(examples, plan, torch.Generator().manual_seed(seed)))
    assert all(len(batch) >= 2 for batch in batches)
    return [int(index) for batch in batches for index in batch]


def test_host_with_more_examples_uses_different_examples_in_each_epoch() -> None:
    # GIVEN a host with 11 examples in a job whose other host has 5 examples
    epochs = [epoch(seed, 11, 5) for seed in range(20)]

    # THEN each epoch uses 5 examples, and every example occurs in some epoch
    assert {len(set(indices)) for indices in epochs} == {5}
    assert {index for indices in epochs for index in indices} == set(range(11))


def test_epoch_uses_every_example_if_all_hosts_have_the_same_number() -> None:
    assert sorted(epoch(0, 9, 9)) == list(range(9))


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 9, 100])
def test_learning_rate_rises_to_its_maximum_and_falls_if_there_are_several_steps(steps: int) -> None:
    # GIVEN
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make_schedule(optimizer, steps)

    # WHEN
    rates = [schedule.get_last_lr()[0]]
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        rates.append(schedule.get_last_lr()[0])

    # THEN
    assert rates[0] < max(rates)
    assert max(rates) == pytest.approx(1, rel=0.01)
    assert steps == 1 or rates[-1] < max(rates)  # with one step, the rate rises to the maximum and does not fall


@pytest.mark.parametrize(("capability", "expected"), [(7, False), (8, True), (9, True)])
def test_bfloat16_is_used_from_compute_capability_8_and_not_on_a_cpu(
    capability: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a GPU with this major compute capability
    class Properties:
        major = capability

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Properties)

    # WHEN / THEN
    assert supports_bfloat16(torch.device("cuda")) is expected
    assert not supports_bfloat16(torch.device("cpu"))
