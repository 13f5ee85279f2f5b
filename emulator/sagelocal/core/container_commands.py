"""Which command stands in for which container image."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagelocal.core.settings import read_object

MODES = ("train", "serve")


class ImagesError(Exception):
    """The images file cannot be used."""


@dataclass(frozen=True)
class Images:
    """Commands by image.

    Attributes
    ----------
    commands
        For each pattern, which must match the whole image URI: a command for `train`, for `serve`, or both.
    """

    commands: tuple[tuple[re.Pattern[str], dict[str, list[str]]], ...] = ()

    @classmethod
    def load(cls, path: Path | None) -> "Images":
        """Read an images file: `{"<regex>": {"train": [argv...], "serve": [argv...]}}`.

        `{python}` in a command is this process's Python. None is a file without images.

        Raises
        ------
        ImagesError
            The file is missing, no JSON, or not of this form.
        """
        if path is None:
            return cls()
        content = read_object(path, "images", ImagesError)
        return cls(tuple((_pattern(path, text), _commands(path, text, modes)) for text, modes in content.items()))

    def command(self, image: str, mode: str) -> list[str] | None:
        """The command that stands in for `image` in one of `MODES`; None where there is none."""
        for pattern, modes in self.commands:
            if pattern.fullmatch(image) and mode in modes:
                return [part.replace("{python}", sys.executable) for part in modes[mode]]
        return None


def _pattern(path: Path, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ImagesError(f"images file {path}: {text!r} is no regular expression: {error}") from error


def _commands(path: Path, text: str, modes: Any) -> dict[str, list[str]]:
    if not isinstance(modes, dict) or not modes or set(modes) - set(MODES):
        raise ImagesError(f"images file {path}: {text!r} must have `train`, `serve` or both, and nothing else")
    for command in modes.values():
        if not isinstance(command, list) or not command or not all(isinstance(part, str) for part in command):
            raise ImagesError(f"images file {path}: a command of {text!r} is no list of texts")
    return modes
