"""Modules' READMEs say what their code says, each module has its five files, and none is long."""

import re
from pathlib import Path

import pytest

from common.paths import DIRECTORY
from scripts import manuals
from scripts.manuals import ManualStaleError, modules, tables, write

FILES = {"README.md", "main.tf", "outputs.tf", "variables.tf", "versions.tf"}
LINES = 300

VARIABLES = """
variable "name" {
  description = "Its name."
  type        = string
}

variable "days" {
  description = "How long it is kept; null for ever."
  type        = number
  default     = null
}

variable "kinds" {
  description = "What it is of."
  type        = list(string)
  default     = ["a", "b"]
}
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module with a few words by hand."""
    (tmp_path / "variables.tf").write_text(VARIABLES)
    (tmp_path / "outputs.tf").write_text(
        'output "arn" {\n  description = "Its ARN."\n  value = aws_thing.this.arn\n}\n'
    )
    (tmp_path / "main.tf").write_text('resource "aws_thing" "this" {\n  name = var.name\n}\n')
    (tmp_path / "README.md").write_text("# thing\nWhat it is for.\n")
    return tmp_path


def test_tables_have_what_the_code_has(module: Path) -> None:
    assert tables(module).splitlines() == [
        "## Inputs",
        "| name | type | default | description |",
        "|---|---|---|---|",
        "| `name` | `string` | required | Its name. |",
        "| `days` | `number` | `null` | How long it is kept; null for ever. |",
        '| `kinds` | `list(string)` | `["a", "b"]` | What it is of. |',
        "",
        "## Outputs",
        "| name | description |",
        "|---|---|",
        "| `arn` | Its ARN. |",
        "",
        "## Resources",
        "- `aws_thing`",
    ]


def test_what_is_written_by_hand_stays_and_what_is_stale_is_found(module: Path) -> None:
    # GIVEN
    write(module, check=False)
    write(module, check=True)
    assert (module / "README.md").read_text().startswith("# thing\nWhat it is for.\n\n## Inputs")

    # WHEN
    (module / "variables.tf").write_text(VARIABLES.replace("Its name.", "Another text."))

    # THEN
    with pytest.raises(ManualStaleError, match="make docs"):
        write(module, check=True)
    assert "Its name." in (module / "README.md").read_text()


def test_a_module_without_a_readme_is_found(module: Path) -> None:
    (module / "README.md").unlink()

    with pytest.raises(ManualStaleError, match="is missing"):
        write(module, check=False)


def test_each_module_has_its_files_and_none_is_long() -> None:
    for module in modules():
        names = {path.name for path in module.iterdir() if path.is_file() and not path.name.startswith(".")}
        assert names >= FILES, module
        if module.parent.name == "modules":
            assert names == FILES, module
        for path in module.glob("*.tf"):
            assert len(path.read_text().splitlines()) <= LINES, path


def test_every_variable_and_output_is_described_and_typed() -> None:
    for module in [*modules(), DIRECTORY]:
        for name, block in manuals.blocks(module, "variable"):
            assert block["description"].strip('"').endswith("."), (module, name)
            assert block["type"], (module, name)
        for name, block in manuals.blocks(module, "output"):
            assert block["description"].strip('"').endswith("."), (module, name)


def test_the_list_of_modules_has_each_of_them() -> None:
    listed = set(re.findall(r"\]\((?:modules/)?(\w+)/README\.md\)", (DIRECTORY / "README.md").read_text()))

    assert listed == {module.name for module in modules()}
