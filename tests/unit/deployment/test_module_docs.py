"""The READMEs of the Terraform modules match the code, all modules have the same files, and no file is too long."""

import re
from pathlib import Path

import pytest

from common.errors import OperatorError
from common.paths import TERRAFORM_DIRECTORY
from deployment.module_docs import blocks, modules, reference, update_readme

FILES = {"README.md", "main.tf", "outputs.tf", "variables.tf", "versions.tf"}
MAXIMUM_LINES = 300

VARIABLES = """
variable "name" {
  description = "The name."
  type        = string
}

variable "days" {
  description = "Days of retention; null keeps it forever."
  type        = number
  default     = null
}

variable "kinds" {
  description = "The kinds."
  type        = list(string)
  default     = ["a", "b"]
}
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module whose README has only an introduction."""
    (tmp_path / "variables.tf").write_text(VARIABLES)
    (tmp_path / "outputs.tf").write_text(
        'output "arn" {\n  description = "The ARN."\n  value = aws_thing.this.arn\n}\n'
    )
    (tmp_path / "main.tf").write_text('resource "aws_thing" "this" {\n  name = var.name\n}\n')
    (tmp_path / "README.md").write_text("# thing\nAn introduction.\n")
    return tmp_path


def test_reference_lists_inputs_outputs_and_resources(module: Path) -> None:
    assert reference(module).splitlines() == [
        "## Inputs",
        "| name | type | default | description |",
        "|---|---|---|---|",
        "| `name` | `string` | required | The name. |",
        "| `days` | `number` | `null` | Days of retention; null keeps it forever. |",
        '| `kinds` | `list(string)` | `["a", "b"]` | The kinds. |',
        "",
        "## Outputs",
        "| name | description |",
        "|---|---|",
        "| `arn` | The ARN. |",
        "",
        "## Resources",
        "- `aws_thing`",
    ]


def test_reference_links_each_called_module_once(module: Path) -> None:
    # GIVEN a module with two calls of the same module, and without resources
    calls = "".join(f'module "{name}" {{\n  source = "../other"\n}}\n' for name in ("one", "two"))
    (module / "main.tf").write_text(calls)

    # WHEN
    lines = reference(module).splitlines()

    # THEN
    assert lines[-2:] == ["## Modules", "- [other](../other/README.md)"]
    assert "## Resources" not in lines


def test_introduction_is_kept_and_the_check_fails_for_an_outdated_reference(module: Path) -> None:
    # GIVEN
    update_readme(module, check=False)
    update_readme(module, check=True)
    assert (module / "README.md").read_text().startswith("# thing\nAn introduction.\n\n## Inputs")

    # WHEN
    (module / "variables.tf").write_text(VARIABLES.replace("The name.", "Another text."))

    # THEN
    with pytest.raises(OperatorError, match="is out of date: run `make docs`"):
        update_readme(module, check=True)
    assert "The name." in (module / "README.md").read_text()


def test_missing_readme_is_an_error(module: Path) -> None:
    (module / "README.md").unlink()

    with pytest.raises(OperatorError, match="is missing"):
        update_readme(module, check=False)


def test_each_module_has_the_same_files_and_no_file_has_more_than_300_lines() -> None:
    for module in modules():
        names = {path.name for path in module.iterdir() if path.is_file() and not path.name.startswith(".")}
        assert names >= FILES, module
        # a long main.tf may be split, as in terraform/modules/state_machine_definition
        assert all(name.endswith(".tf") for name in names - FILES), module
        for path in module.glob("*.tf"):
            assert len(path.read_text().splitlines()) <= MAXIMUM_LINES, path


def test_every_variable_and_output_has_a_description_and_every_variable_a_type() -> None:
    for module in [*modules(), TERRAFORM_DIRECTORY]:
        for kind in ("variable", "output"):
            for name, block in blocks(module, kind):
                description = block["description"].strip('"')
                assert description.endswith("."), (module, name)
                # Markdown hides `<word>` outside of backticks
                assert "<" not in re.sub(r"`[^`]*`", "", description), (module, name)
                assert kind == "output" or block["type"], (module, name)


def test_terraforms_readme_lists_every_module() -> None:
    listed = set(re.findall(r"\]\((?:modules/)?(\w+)/README\.md\)", (TERRAFORM_DIRECTORY / "README.md").read_text()))

    assert listed == {module.name for module in modules()}
