"""The proxy that shortens the AWS provider's schema for Terraform in the tests."""

from pathlib import Path

from tests.support.provider_proxy import DATA_SOURCES, RESOURCES, remove_types, used_types

PROVIDER, LONG = 1, "x" * 300  # a length above 127 has two bytes


def field(number: int, value: bytes) -> bytes:
    """Return a field of a protobuf message: tag, length and value."""
    length = bytes([len(value)]) if len(value) < 128 else bytes([len(value) & 0x7F | 0x80, len(value) >> 7])
    return bytes([number << 3 | 2]) + length + value


def entry(number: int, key: str, value: str = "some schema") -> bytes:
    """Return an entry of a map from type names to schemas."""
    return field(number, field(1, key.encode()) + field(2, value.encode()))


def test_only_unused_types_are_removed_from_the_schema() -> None:
    # GIVEN
    kept = [field(PROVIDER, b"some provider"), entry(RESOURCES, "aws_used", LONG), entry(DATA_SOURCES, "aws_used")]
    removed = [entry(RESOURCES, "aws_unused", LONG), entry(DATA_SOURCES, "aws_unused")]

    # WHEN / THEN
    assert remove_types(b"".join([kept[0], *removed, *kept[1:]]), {"aws_used"}) == b"".join(kept)


def test_types_in_modules_and_tests_are_used(tmp_path: Path) -> None:
    # GIVEN
    (tmp_path / "modules").mkdir()
    (tmp_path / "main.tf").write_text('resource "aws_a" "this" {}')
    (tmp_path / "modules" / "main.tf").write_text('data "aws_b" "this" {}')
    (tmp_path / "root.tftest.hcl").write_text("override_resource {\n  target = aws_c.this\n}")

    # WHEN / THEN
    assert {"aws_a", "aws_b", "aws_c"} <= used_types(tmp_path)
