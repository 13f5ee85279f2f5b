"""The settings of an environment: the values of the root module's variables, as Terraform reads them."""

import base64
import difflib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.errors import OperatorError
from common.files import write
from common.paths import TERRAFORM_DIRECTORY
from deployment.terraform_output import first_error
from deployment.tools import find_terraform

VARIABLES = TERRAFORM_DIRECTORY / "variables.tf"
# Finds the names in Terraform's warning about undeclared variables, which lists at most two of them
UNDECLARED = re.compile(r'declare a variable named "([^"]+)"')


class SettingsError(OperatorError):
    """An environment's file sets a variable or attribute that does not exist, or a variable has an invalid value."""


def read_settings(environment: str) -> dict[str, Any]:
    """Return the value of each variable by its name: from the environment's file, `TF_VAR_...`, or the default.

    The function raises an error for unknown names, because Terraform only prints a warning for a variable that is not
    declared, and ignores an unknown attribute of an object.

    Raises
    ------
    SettingsError
        The file sets an unknown variable or attribute, or a value is invalid.
    """
    return read_file(settings_file(environment))


def settings_file(environment: str) -> Path:
    """Return the path of an environment's `.tfvars` file."""
    return TERRAFORM_DIRECTORY / "environments" / f"{environment}.tfvars"


def read_file(file: Path) -> dict[str, Any]:
    """Return the value of each variable by its name, as `read_settings` does, for any `.tfvars` file."""
    declarations = VARIABLES.read_text()
    names = re.findall(r'^variable "(\w+)"', declarations, re.MULTILINE)
    settings, undeclared = evaluate(declarations, names, file)
    for name in undeclared:
        raise unknown_setting(file, name, names)
    objects = [name for name in names if isinstance(settings[name], dict)]
    untyped = "".join(f'variable "{name}" {{\n  type    = any\n  default = {{}}\n}}\n' for name in objects)
    for name, given in evaluate(untyped, objects, file)[0].items():
        for attribute in sorted(set(given or ()) - set(settings[name])):
            raise unknown_setting(file, f"{name}.{attribute}", [f"{name}.{known}" for known in settings[name]])
    return settings


def write_number(environment: str, name: str, value: float) -> float:
    """Write a number into an environment's file, and return the value that the number replaces.

    If the file does not set the variable, a line is added. The rest of the file, such as its comments, stays unchanged.
    The new content is evaluated in a temporary directory first, so that the file never becomes invalid.

    Raises
    ------
    SettingsError
        The settings are invalid, or the file sets the variable in a form that this function cannot change. In both
        cases, the file stays unchanged.
    """
    file = settings_file(environment)
    old: float = read_file(file)[name]
    before = file.read_bytes().decode()  # read_text would change the line breaks of Windows
    after, found = re.subn(
        rf"^([ \t]*{name}[ \t]*=[ \t]*)[-+.\w]+", rf"\g<1>{value}", before, count=1, flags=re.MULTILINE
    )
    content = (after if found else f"{before.rstrip()}\n\n{name} = {value}\n").encode()
    if not _sets(content, file.name, name, value):
        path = file.relative_to(TERRAFORM_DIRECTORY.parent)
        raise SettingsError(f"{path}: {name} cannot be changed: write `{name} = {value}` there yourself")
    write(file, content)
    return old


def _sets(content: bytes, file_name: str, name: str, value: float) -> bool:
    """Return whether a file with this content is valid and sets a variable to a value."""
    with tempfile.TemporaryDirectory() as directory:
        draft = Path(directory, file_name)
        draft.write_bytes(content)
        try:
            return bool(read_file(draft)[name] == value)
        except SettingsError:
            return False


def unknown_setting(file: Path, name: str, known: Sequence[str]) -> SettingsError:
    """Return an error for an unknown setting, with the most similar known setting."""
    (similar,) = difflib.get_close_matches(name, known, n=1, cutoff=0)
    path = file.relative_to(TERRAFORM_DIRECTORY.parent)
    return SettingsError(f"{path} sets {name}, which is not a setting (most similar: {similar}): correct or remove it")


def evaluate(declarations: str, names: Sequence[str], file: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the values of variables by name, and the names that a file sets without a declaration.

    Terraform evaluates the declarations in a temporary directory, where it needs neither a provider nor a state.

    Parameters
    ----------
    declarations : HCL that declares the variables
    names : names of the declared variables
    file : path of a `.tfvars` file

    Raises
    ------
    SettingsError
        A value is invalid.
    """
    # encoded in base64, because the console prints a string as HCL, whose escape sequences differ from JSON's
    expression = f"base64encode(jsonencode({{{', '.join(f'{name} = var.{name}' for name in names)}}}))"
    inherited = {name: value for name, value in os.environ.items() if not re.match(r"TF_(?!VAR_)", name)}
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "variables.tf").write_text(declarations)
        result = subprocess.run(
            [find_terraform(), "console", f"-var-file={file}"],
            input=f"{expression}\n",
            cwd=directory,
            env={**inherited, "CHECKPOINT_DISABLE": "1"},
            capture_output=True,
            text=True,
        )
    plain = re.sub(r"\x1b\[[0-9;]*m|[│╷╵]", "", result.stdout + result.stderr)
    encoded = re.search(r'^"([\w+/=]+)"$', result.stdout, re.MULTILINE)
    if encoded is None or "Error: " in plain:
        raise SettingsError(explain(file, plain))
    return json.loads(base64.b64decode(encoded[1])), UNDECLARED.findall(" ".join(plain.split()))


def explain(file: Path, output: str) -> str:
    """Return Terraform's error in one line, with the file's invalid line if the error does not name a variable."""
    error = first_error(output)
    if rejected := re.match("Invalid value for variable (.*)", error):
        return f"settings of {file.stem}: {rejected[1]}"
    place = re.search(rf"^\s*on \S*{re.escape(file.name)} line (\d+)[^\n]*:\n\s*\d+: *([^\n]*)", output, re.MULTILINE)
    line = f", line {place[1]} ({place[2].strip() or 'empty'})" if place else ""
    advice = ' Write text in quotes: region = "us-east-1"' if error.startswith("Variables not allowed") else ""
    return f"settings of {file.stem}{line}: {error}{advice}"
