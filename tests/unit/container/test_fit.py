"""What an epoch takes of a host's rows, and what a device is good for."""

import pytest
import torch
from fit import batches, halves, make_schedule


def epoch(number: int, rows: int, count: int, size: int = 4) -> list[int]:
    parts = list(batches(rows, count, size, torch.Generator().manual_seed(number), 2))
    assert all(len(part) >= 2 for part in parts)
    return [int(row) for part in parts for row in part]


def test_a_host_with_more_rows_takes_all_of_them_in_turn() -> None:
    # GIVEN one with 11 rows where another has 5
    epochs = [epoch(number, 11, 5) for number in range(20)]

    # THEN each epoch is as long as the other host's, and no row is left out for ever
    assert {len(set(rows)) for rows in epochs} == {5}
    assert {row for rows in epochs for row in rows} == set(range(11))


def test_an_epoch_of_equal_hosts_has_every_row() -> None:
    assert sorted(epoch(0, 9, 9)) == list(range(9))


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 9, 100])
def test_the_learning_rate_rises_and_falls_in_however_few_steps(steps: int) -> None:
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
    assert steps == 1 or rates[-1] < max(rates)


@pytest.mark.parametrize(("capability", "by_itself"), [(7, False), (8, True), (9, True)])
def test_bfloat16_is_for_devices_that_calculate_in_it(
    capability: int, by_itself: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a GPU as PyTorch sees it
    class Properties:
        major = capability

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Properties)

    # WHEN / THEN
    assert halves(torch.device("cuda")) is by_itself
    assert not halves(torch.device("cpu"))
