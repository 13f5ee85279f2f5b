"""Write each Terraform module's README from the code, or check that it is what the code says.

What stands above the first heading of its second order is written by hand, and stays.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2

from common.errors import OperatorError
from common.paths import DIRECTORY

CALL = r'^module "[a-z_]+" \{{\n  source = "[./a-z]*/{name}"\n.*?^\}}$'


class ManualStaleError(OperatorError):
    """A README is not what its module's code says."""


def main() -> None:
    """Write, or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, and fail where something is stale")
    arguments = parser.parse_args()
    try:
        for module in modules():
            write(module, check=arguments.check)
    except (OperatorError, OSError) as error:
        sys.exit(f"error: {error}")


def modules() -> list[Path]:
    """The folders of all modules."""
    return [*sorted(path.parent for path in (DIRECTORY / "modules").glob("*/main.tf")), DIRECTORY / "bootstrap"]


def write(module: Path, *, check: bool) -> None:
    """Bring one module's README up to date.

    Raises
    ------
    ManualStaleError
        It is not, and was to be checked alone; or there is none.
    """
    path = module / "README.md"
    if not path.is_file():
        raise ManualStaleError(f"{path} is missing: write what the module is for, and an example; then `make docs`")
    text = path.read_text()
    by_hand = text.partition("\n## ")[0].rstrip()
    written = "\n\n".join([by_hand, *example(module), tables(module)])
    if check and written != text:
        raise ManualStaleError(f"{path} is not what the module says: run `make docs`")
    path.write_text(written)


def example(module: Path) -> Iterator[str]:
    """How this project uses the module; nothing for one that is applied by itself."""
    pattern = re.compile(CALL.format(name=module.name), re.DOTALL | re.MULTILINE)
    users = [DIRECTORY / "main.tf", *sorted(DIRECTORY.glob("modules/*/main.tf"))]
    if found := next(filter(None, (pattern.search(path.read_text()) for path in users)), None):
        yield f"## Example\n```hcl\n{found.group()}\n```"


def tables(module: Path) -> str:
    """Inputs, outputs and resources, as Markdown."""
    inputs = [
        f"| `{name}` | `{value(block['type'])}` | {default(block)} | {value(block['description'])} |"
        for name, block in blocks(module, "variable")
    ]
    outputs = [f"| `{name}` | {value(block['description'])} |" for name, block in blocks(module, "output")]
    resources = [f"- `{kind}`" for kind in sorted({kind for kind, _ in blocks(module, "resource")})]
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
            "## Resources",
            *resources,
            "",
        ]
    )


def blocks(module: Path, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each block of a kind, with its first label, in the order of the code."""
    for path in sorted(module.glob("*.tf")):
        with path.open() as stream:
            content: dict[str, Any] = hcl2.load(stream)
        for block in content.get(kind, []):
            for label, body in block.items():
                yield label.strip('"'), body


def default(block: dict[str, Any]) -> str:
    """A variable's default; a variable that has none must be given."""
    if "default" not in block:
        return "required"
    return f"`{value(block['default'])}`"


def value(found: Any) -> str:
    """A value as HCL has it: its texts come with their quotes, and what is no constant as `${...}`."""
    if isinstance(found, list):
        return f"[{', '.join(text if (text := value(each)).startswith('[') else json.dumps(text) for each in found)}]"
    if isinstance(found, str):
        return found.removeprefix("${").removesuffix("}").strip('"') if found.startswith("${") else found.strip('"')
    return json.dumps(found)


if __name__ == "__main__":
    main()
