"""Class names are mapped to label numbers, for fine and for coarse classes of CIFAR-100."""

import pytest

from staging.archive import LabelKind, Meta
from staging.classes import class_numbers
from staging.errors import StagingError
from staging.names import COARSE_NAMES, FINE_NAMES

META = Meta(FINE_NAMES, COARSE_NAMES)


@pytest.mark.parametrize("kind", ["fine", "coarse"])
def test_each_class_is_numbered_by_its_position_in_the_list(kind: LabelKind) -> None:
    # GIVEN all class names of a kind
    names = META.names(kind)
    last = len(names) - 1

    # WHEN the names are in reverse order / THEN
    assert class_numbers(names[::-1], META) == (kind, {label: last - label for label in range(len(names))})


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (["bicycle", "motorcicle"], r"'motorcicle' \(most similar: motorcycle, "),
        (["bicycle", "Pickup Truck"], "most similar: pickup_truck, "),
        (["bicycle", "vehicle_1"], "most similar: vehicles_1, vehicles_2, "),
        (["buss", "tractr"], "no class 'buss' .*bus.*; nor 'tractr' .*tractor"),
        (["bicycle", "vehicles_2"], "bicycle is a fine class and vehicles_2 a coarse one"),
        (["bicycle"], "at least two different classes are needed"),
        ([], "at least two different classes are needed"),
        (["bicycle", "bicycle"], "different"),
    ],
    ids=str,
)
def test_error_for_invalid_classes_names_the_problem_in_one_line(classes: list[str], words: str) -> None:
    with pytest.raises(StagingError, match=words) as raised:
        class_numbers(classes, META)
    assert "\n" not in str(raised.value)
