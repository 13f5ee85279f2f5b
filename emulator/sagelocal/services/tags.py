"""Resource tags, for services whose tags moto does not support."""


class Tags:
    """Tags by resource ARN."""

    def __init__(self) -> None:
        self._by_arn: dict[str, dict[str, str]] = {}

    def of(self, arn: str) -> dict[str, str]:
        """Return all tags of a resource; an unknown resource has none."""
        return dict(self._by_arn.get(arn, {}))

    def put(self, arn: str, tags: dict[str, str]) -> None:
        """Add tags to a resource; existing keys get the new values."""
        self._by_arn[arn] = {**self.of(arn), **tags}

    def remove(self, arn: str, keys: list[str]) -> None:
        """Remove tags from a resource; unknown keys are ignored."""
        self._by_arn[arn] = {key: value for key, value in self.of(arn).items() if key not in keys}

    def delete(self, arn: str) -> None:
        """Delete all tags of a resource that is deleted."""
        self._by_arn.pop(arn, None)
