"""Directories of the repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TERRAFORM_DIRECTORY = ROOT / "terraform"
TOOLS_DIRECTORY = ROOT / ".tools"  # programs that `make setup` downloads
