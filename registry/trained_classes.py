"""Compare the classes on which a registered model was trained with the classes that the workflow expects."""

from collections.abc import Sequence
from textwrap import shorten

from common.errors import OperatorError
from registry.model_registry import Version
from staging.manifest import digest_classes

MAX_NAMES_LENGTH = 300  # maximum length of each list of classes in a message, in characters


class ClassesDifferError(OperatorError):
    """A model was trained on other classes than expected, or on the expected classes in another order."""


def check_classes(version: Version, classes: Sequence[str], *, where: str, advice: str) -> None:
    """Check that a version was trained on the given classes, in the given order.

    The order matters because a prediction contains probabilities without class names, in the order of the model's
    classes.

    Parameters
    ----------
    where : origin of `classes` for the error message, such as "the deployed stack"
    advice : end of the error message, which says what to do

    Raises
    ------
    ClassesDifferError
        The version was trained on other classes, or on the classes in another order.
    """
    if version.properties.get("classes_md5") in (None, digest_classes(classes)):
        return
    trained = version.properties.get("classes", "others").replace(" ", ", ")
    raise ClassesDifferError(
        f"{version.name} was trained on the classes {shorten(trained, MAX_NAMES_LENGTH)}, but {where} has "
        f"{shorten(', '.join(classes), MAX_NAMES_LENGTH)}: {advice}"
    )
