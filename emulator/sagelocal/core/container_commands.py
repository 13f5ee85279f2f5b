"""Local commands that run in place of container images."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagelocal.core.errors import SagelocalError
from sagelocal.core.json_file import read_object

MODES = ("train", "serve", "process")


@dataclass(frozen=True)
class Images:
    """Local commands by container image.

    Attributes
    ----------
    commands
        Pairs of a regular expression, which must match the whole image URI, and a dictionary from mode (one of
        `MODES`) to command.
    """

    commands: tuple[tuple[re.Pattern[str], dict[str, list[str]]], ...] = ()

    @classmethod
    def load(cls, path: Path | None) -> "Images":
        """Read an images file: `{"<regex>": {"train": [argv...], "serve": [argv...], "process": [argv...]}}`.

        `{python}` in a command is replaced with the path of the Python interpreter that runs the emulator. If `path` is
        None, no image has a command.

        Raises
        ------
        SagelocalError
            The file cannot be read, or does not have this format.
        """
        if path is None:
            return cls()
        content = read_object(path, "images")
        return cls(tuple((_pattern(path, text), _commands(path, text, modes)) for text, modes in content.items()))

    def command(self, image: str, mode: str) -> list[str] | None:
        """Return the command of the first entry that matches the image and has the mode, or None if there is none.

        Parameters
        ----------
        image
            Image URI.
        mode
            One of `MODES`.
        """
        for pattern, modes in self.commands:
            if pattern.fullmatch(image) and mode in modes:
                return [part.replace("{python}", sys.executable) for part in modes[mode]]
        return None


def _pattern(path: Path, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise SagelocalError(f"images file {path}: {text!r} is not a valid regular expression: {error}") from error


def _commands(path: Path, text: str, modes: Any) -> dict[str, list[str]]:
    if not isinstance(modes, dict) or not modes or set(modes) - set(MODES):
        raise SagelocalError(f"images file {path}: {text!r} must map `train`, `serve` or `process` to a command")
    for command in modes.values():
        if not isinstance(command, list) or not command or not all(isinstance(part, str) for part in command):
            raise SagelocalError(f"images file {path}: each command of {text!r} must be a list of strings")
    return modes
