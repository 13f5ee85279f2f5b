"""Generate the reference part of each Terraform module's README from the module's code.

The text above the first second-level heading is written by hand and is not changed.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2

from common.errors import OperatorError
from common.paths import TERRAFORM_DIRECTORY

MODULE_CALL = r'^module "[a-z_]+" \{{\n  source = "[./a-z]*/{name}"\n.*?^\}}$'


def modules() -> list[Path]:
    """Return the directories of all modules."""
    nested = sorted(path.parent for path in (TERRAFORM_DIRECTORY / "modules").glob("*/main.tf"))
    return [*nested, TERRAFORM_DIRECTORY / "bootstrap"]


def update_readme(module: Path, *, check: bool) -> None:
    """Write a module's README, or only check that it is up to date.

    Raises
    ------
    OperatorError
        The README does not exist, or the check fails.
    """
    path = module / "README.md"
    if not path.is_file():
        raise OperatorError(f"{path} is missing: describe the module in it, then run `make docs`")
    current = path.read_text()
    introduction = current.partition("\n## ")[0].rstrip()
    updated = "\n\n".join([introduction, *example(module), reference(module)])
    if not check:
        path.write_text(updated)
    elif updated != current:
        raise OperatorError(f"{path} is out of date: run `make docs`")


def example(module: Path) -> Iterator[str]:
    """Yield a Markdown section with this project's call of the module; yield nothing if there is no call."""
    pattern = re.compile(MODULE_CALL.format(name=module.name), re.DOTALL | re.MULTILINE)
    callers = [TERRAFORM_DIRECTORY / "main.tf", *sorted(TERRAFORM_DIRECTORY.glob("modules/*/main.tf"))]
    if call := next(filter(None, (pattern.search(path.read_text()) for path in callers)), None):
        yield f"## Example\n```hcl\n{call.group()}\n```"


def reference(module: Path) -> str:
    """Return the module's inputs, outputs, resources and called modules as Markdown."""
    inputs = [
        f"| `{name}` | `{to_text(block['type'])}` | {default(block)} | {to_text(block['description'])} |"
        for name, block in blocks(module, "variable")
    ]
    outputs = [f"| `{name}` | {to_text(block['description'])} |" for name, block in blocks(module, "output")]
    resources = [f"- `{kind}`" for kind in sorted({kind for kind, _ in blocks(module, "resource")})]
    sources = sorted({to_text(block["source"]) for _, block in blocks(module, "module")})
    called = [f"- [{Path(source).name}]({source}/README.md)" for source in sources]
    return "\n".join(
        [
            "## Inputs",
            "| name | type | default | description |",
            "|---|---|---|---|",
            *inputs,
            "",
            "## Outputs",
            "| name | description |",
            "|---|---|",
            *outputs,
            "",
            *(["## Resources", *resources, ""] if resources else []),
            *(["## Modules", *called, ""] if called else []),
        ]
    )


def blocks(module: Path, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the first label and the body of each block of a kind, such as `variable`, in the order of the code."""
    for path in sorted(module.glob("*.tf")):
        with path.open() as stream:
            content: dict[str, Any] = hcl2.load(stream)
        for block in content.get(kind, []):
            for label, body in block.items():
                yield label.strip('"'), body


def default(block: dict[str, Any]) -> str:
    """Return a variable's default value, or `required`."""
    if "default" not in block:
        return "required"
    return f"`{to_text(block['default'])}`"


def to_text(value: Any) -> str:
    """Return a parsed value as text for the README: a string has no quotes, and an expression no `${...}`."""
    if isinstance(value, list):
        return f"[{', '.join(text if (text := to_text(each)).startswith('[') else json.dumps(text) for each in value)}]"
    if isinstance(value, str):
        return value.removeprefix("${").removesuffix("}").strip('"') if value.startswith("${") else value.strip('"')
    return json.dumps(value)
