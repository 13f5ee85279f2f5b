"""Names to numbers, for any of the fine or any of the coarse classes."""

import pytest

from staging.archive import Kind, Meta
from staging.classes import UnknownClassError, class_numbers
from staging.names import COARSE_NAMES, FINE_NAMES

META = Meta(FINE_NAMES, COARSE_NAMES)


@pytest.mark.parametrize("kind", ["fine", "coarse"])
def test_all_classes_of_a_kind_may_be_named_in_any_order(kind: Kind) -> None:
    # GIVEN
    names = META.names(kind)
    last = len(names) - 1

    # WHEN / THEN
    assert class_numbers(names[::-1], META) == (kind, {label: last - label for label in range(len(names))})


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (["bicycle", "motorcicle"], r"'motorcicle' \(nearest: motorcycle, "),
        (["bicycle", "Pickup Truck"], "nearest: pickup_truck, "),
        (["bicycle", "vehicle_1"], "nearest: vehicles_1, vehicles_2, "),
        (["buss", "tractr"], "no class 'buss' .*bus.*; nor 'tractr' .*tractor"),
        (["bicycle", "vehicles_2"], "bicycle is a fine class and vehicles_2 a coarse one"),
        (["bicycle"], "at least two"),
        ([], "at least two"),
        (["bicycle", "bicycle"], "different"),
    ],
    ids=str,
)
def test_classes_that_are_none_are_refused_in_one_line(classes: list[str], words: str) -> None:
    with pytest.raises(UnknownClassError, match=words) as refusal:
        class_numbers(classes, META)
    assert "\n" not in str(refusal.value)
