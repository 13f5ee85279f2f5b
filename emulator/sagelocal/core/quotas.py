"""Service quotas of the emulated account.

Quotas have AWS's names: `{"ml.g5.xlarge for training job usage": 0}`. A quota that is not configured is unlimited.
Source: https://docs.aws.amazon.com/general/latest/gr/sagemaker.html#limits_sagemaker
"""

from dataclasses import dataclass, field
from pathlib import Path

from sagelocal.core.errors import SagelocalError
from sagelocal.core.json_file import read_object


class QuotaExceededError(Exception):
    """A request exceeds a quota; the message has AWS's wording."""


@dataclass(frozen=True)
class Quotas:
    """Maximum number of instances by quota name."""

    limits: dict[str, int] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None) -> "Quotas":
        """Read a quotas file. If `path` is None, there are no limits.

        Raises
        ------
        SagelocalError
            The file cannot be read, or a value is not a whole number of at least 0.
        """
        if path is None:
            return cls()
        content = read_object(path, "quotas")
        for name, limit in content.items():
            if type(limit) is not int or limit < 0:
                raise SagelocalError(f"quotas file {path}: {name!r} must be a whole number of at least 0 (got {limit})")
        return cls(content)

    def check(self, name: str, *, used: int, requested: int) -> None:
        """Raise an error if a request exceeds a quota.

        Parameters
        ----------
        name
            Name of the quota.
        used
            Number of instances in use.
        requested
            Number of instances that the request adds.

        Raises
        ------
        QuotaExceededError
            The sum of `used` and `requested` is above the quota.
        """
        limit = self.limits.get(name)
        if limit is not None and used + requested > limit:
            raise QuotaExceededError(
                f"The account-level service limit '{name}' is {limit} Instances, with current utilization of {used} "
                f"Instances and a request delta of {requested} Instances. Please use AWS Service Quotas to request an "
                "increase for this quota. If AWS Service Quotas is not available, contact AWS support to request an "
                "increase for this quota."
            )
