"""The classes that a registered model was trained on, compared with those that the workflow expects."""

from collections.abc import Sequence
from textwrap import shorten

from common.errors import OperatorError
from registry.model_registry import Version
from staging.manifest import digest_classes

MAX_NAMES_LENGTH = 300  # characters of each list of classes in a message


class ClassesDifferError(OperatorError):
    """A model was trained on other classes, or on the same ones in another order."""


def check_classes(version: Version, classes: Sequence[str], *, where: str, advice: str) -> None:
    """Check that a version was trained on these classes, in this order.

    The probabilities in a prediction have the order of the model's classes, and no names.

    Parameters
    ----------
    where : has the classes, for the message
    advice : what to do otherwise, for the message

    Raises
    ------
    ClassesDifferError
        It was trained on others.
    """
    if version.properties.get("classes_md5") in (None, digest_classes(classes)):
        return
    trained = version.properties.get("classes", "others").replace(" ", ", ")
    raise ClassesDifferError(
        f"{version.name} was trained on the classes {shorten(trained, MAX_NAMES_LENGTH)}, but {where} has "
        f"{shorten(', '.join(classes), MAX_NAMES_LENGTH)}: {advice}"
    )
