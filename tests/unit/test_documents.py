"""The make targets, files and sections that the documents mention exist; the first-account checklist is complete."""

import re
from pathlib import Path

import pytest

from common.paths import ROOT

DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "emulator" / "README.md",
    *(ROOT / "docs").glob("*.md"),
]
MAKEFILES = [ROOT / "Makefile", ROOT / "terraform" / "environments" / "local.mk"]
TARGETS = {target for path in MAKEFILES for target in re.findall(r"^([a-z][a-z0-9-]*):", path.read_text(), re.M)}


def sections(document: Path) -> set[str]:
    """Return the anchors that GitHub generates for a document's headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_make_targets_in_documents_exist(document: Path) -> None:
    commands = re.findall(r"(?:^|`)make ((?:[a-z][a-z0-9-]* ?)+)", document.read_text(), re.M)
    assert {target for command in commands for target in command.split()} <= TARGETS


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_an_existing_file_and_section(document: Path) -> None:
    for name, section in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", document.read_text()):
        linked = document.parent / name if name else document
        assert linked.exists(), name
        assert not section or section in sections(linked), f"{name}#{section}"


def test_items_of_the_first_account_checklist_are_lettered_in_order_and_complete() -> None:
    text = (ROOT / "docs" / "first-account.md").read_text()
    items = re.split(r"^### ", text, flags=re.M)[1:]
    assert [item[0] for item in items] == list("ABCDEFGHI")
    assert all("```" in item and "**Look for:**" in item and "**Change:**" in item for item in items)
