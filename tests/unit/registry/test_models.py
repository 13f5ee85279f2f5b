"""The list of models fits a terminal, and says which is in use and why each is what it is."""

from scripts.models import table
from tests.unit.registry.versions import make_version, make_versions


def test_the_list_fits_a_terminal() -> None:
    # GIVEN texts of every length
    versions = [
        make_version(123, approval="it sees well in the dark " * 20),
        *make_versions("PendingManualApproval", "Rejected"),
    ]

    # WHEN
    lines = list(table(versions, versions[0].arn))

    # THEN
    assert all(len(part) <= 80 for line in lines for part in line.split("\n"))


def test_a_version_is_told_in_one_line_and_explained_below() -> None:
    # GIVEN
    versions = [make_version(2, "Rejected", approval="worse at night (by arn:user/ann)"), make_version(1)]

    # WHEN
    printed = "\n".join(table(versions, versions[1].arn)).splitlines()
    told = [line for line in printed if line.startswith("v")]

    # THEN
    assert told[0].split() == ["v2", "rejected", "0.950", "(0.888", "to", "0.978)", "2026-03-01", "12:02", "6f912a4+"]
    assert told[1].startswith("v1    approved, in use")
    assert "      rejected  worse at night (by arn:user/ann)" in printed
