"""A model is refused if it was trained on classes other than the expected classes."""

from typing import Any

import pytest

from registry.trained_classes import ClassesDifferError, check_classes
from staging.manifest import digest_classes
from tests.unit.registry.versions import make_version


def check(*classes: str, **properties: str) -> None:
    """Compare the expected classes with those on which a version with these properties was trained."""
    version = make_version(1, properties={**make_version(1).properties, **properties})
    check_classes(version, classes, where="the deployed stack", advice="run `make deploy`")


def trained_on(*classes: str) -> dict[str, Any]:
    """Return the properties of a version that was trained on these classes."""
    return {"classes": " ".join(classes), "classes_md5": digest_classes(classes)}


def test_same_classes_are_accepted() -> None:
    check("bicycle", "motorcycle", **trained_on("bicycle", "motorcycle"))


def test_model_that_was_registered_without_its_classes_is_accepted() -> None:
    check("bicycle", "motorcycle")


@pytest.mark.parametrize("classes", [("bus", "tractor"), ("motorcycle", "bicycle"), ("bicycle", "motorcycle", "bus")])
def test_other_classes_are_refused_with_both_lists_and_the_command(classes: tuple[str, ...]) -> None:
    expected = (
        f"v1 was trained on the classes bicycle, motorcycle, but the deployed stack has {', '.join(classes)}: run"
    )
    with pytest.raises(ClassesDifferError, match=f"^{expected} `make deploy`$"):
        check(*classes, **trained_on("bicycle", "motorcycle"))


def test_error_about_a_hundred_classes_is_short() -> None:
    names = [f"class_number_{number}" for number in range(100)]
    with pytest.raises(ClassesDifferError) as caught:
        check(*names, **trained_on(*names[:99]))
    assert len(str(caught.value)) < 800
