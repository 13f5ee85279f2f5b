"""Resource tags, for services in which moto does not support tags."""


class Tags:
    """A mutable mapping from resource ARNs to the resources' tags."""

    def __init__(self) -> None:
        self._by_arn: dict[str, dict[str, str]] = {}

    def of(self, arn: str) -> dict[str, str]:
        """Return all tags of a resource, or an empty dictionary if the resource is unknown."""
        return dict(self._by_arn.get(arn, {}))

    def put(self, arn: str, tags: dict[str, str]) -> None:
        """Add tags to a resource, and overwrite the values of existing keys."""
        self._by_arn[arn] = {**self.of(arn), **tags}

    def remove(self, arn: str, keys: list[str]) -> None:
        """Remove the tags with these keys from a resource. Ignore unknown keys."""
        self._by_arn[arn] = {key: value for key, value in self.of(arn).items() if key not in keys}

    def delete(self, arn: str) -> None:
        """Delete all tags of a resource. Call this when the resource is deleted."""
        self._by_arn.pop(arn, None)
