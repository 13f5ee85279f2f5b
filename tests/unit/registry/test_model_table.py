"""The table of registered models."""

from datetime import datetime, timedelta, timezone

import pytest

from registry.model_table import model_table
from tests.unit.registry.versions import make_version, make_versions


def test_table_fits_80_columns() -> None:
    # GIVEN a version with a high number and a long reason, and other versions
    versions = [
        make_version(123, approval_reason="accurate in the dark " * 20),
        *make_versions("PendingManualApproval", "Rejected"),
    ]

    # WHEN
    lines = list(model_table(versions, versions[0].arn))

    # THEN
    assert all(len(part) <= 80 for line in lines for part in line.split("\n"))


def test_each_version_has_a_row_that_is_followed_by_its_reasons() -> None:
    # GIVEN
    versions = [make_version(2, "Rejected", approval_reason="worse at night (by arn:user/ann)"), make_version(1)]

    # WHEN
    printed = "\n".join(model_table(versions, versions[1].arn)).splitlines()
    rows = [line for line in printed if line.startswith("v")]

    # THEN
    assert rows[0].split() == ["v2", "rejected", "0.950", "(0.888", "to", "0.978)", "2026-03-01", "12:02", "6f912a4+"]
    assert rows[1].startswith("v1    approved, in use")
    assert "      rejected  worse at night (by arn:user/ann)" in printed


def test_registration_time_is_in_utc() -> None:
    # GIVEN a time in the machine's time zone, as boto3 returns it
    version = make_version(1, registered=datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=2))))

    # WHEN / THEN
    assert "2026-02-28 23:30" in "".join(model_table([version], None))


@pytest.mark.parametrize(
    ("status", "approval_reason", "expected"),
    [
        ("PendingManualApproval", "", "no decision recorded"),
        ("Rejected", "", "by the quality gate"),
        ("Approved", make_version(1).gate_reason, "by the quality gate"),
        ("Approved", "good (by arn:user/ann)", "good (by arn:user/ann)"),
    ],
    ids=["pending", "rejected by the gate", "approved by the gate", "approved manually"],
)
def test_version_says_whether_the_quality_gate_or_a_person_decided(
    status: str, approval_reason: str, expected: str
) -> None:
    assert make_version(1, status, approval_reason=approval_reason).decision == expected
