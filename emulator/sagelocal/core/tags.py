"""Tags for services to which moto gives none."""


class Tags:
    """Tags by resource ARN."""

    def __init__(self) -> None:
        self._by_arn: dict[str, dict[str, str]] = {}

    def of(self, arn: str) -> dict[str, str]:
        """All tags of a resource; none for one that is not known."""
        return dict(self._by_arn.get(arn, {}))

    def put(self, arn: str, tags: dict[str, str]) -> None:
        """Add tags, or change their values."""
        self._by_arn[arn] = {**self.of(arn), **tags}

    def remove(self, arn: str, keys: list[str]) -> None:
        """Take tags away; those that are not there stay away."""
        self._by_arn[arn] = {key: value for key, value in self.of(arn).items() if key not in keys}

    def forget(self, arn: str) -> None:
        """The resource is deleted."""
        self._by_arn.pop(arn, None)
