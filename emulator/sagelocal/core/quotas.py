"""An account's quotas, as a file has them: `{"ml.g5.xlarge for training job usage": 0}`, by AWS's own names.

What a file does not name has no limit.
Source: https://docs.aws.amazon.com/general/latest/gr/sagemaker.html#limits_sagemaker
"""

from dataclasses import dataclass, field
from pathlib import Path

from sagelocal.core.settings import read_object


class QuotasError(Exception):
    """The quotas file cannot be used."""


class QuotaExceededError(Exception):
    """A request asks for more than the quota leaves; the message is AWS's."""


@dataclass(frozen=True)
class Quotas:
    """Limits by their names."""

    limits: dict[str, int] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None) -> "Quotas":
        """Read a quotas file; None is one without limits.

        Raises
        ------
        QuotasError
            The file is missing, no JSON, or not of this form.
        """
        if path is None:
            return cls()
        content = read_object(path, "quotas", QuotasError)
        if not all(type(limit) is int and limit >= 0 for limit in content.values()):
            raise QuotasError(f"quotas file {path} must hold whole numbers from 0 on")
        return cls(content)

    def check(self, name: str, *, used: int, wanted: int) -> None:
        """Refuse what is too much.

        Parameters
        ----------
        used, wanted : instances in use, and asked for beside them

        Raises
        ------
        QuotaExceededError
            See there.
        """
        limit = self.limits.get(name)
        if limit is not None and used + wanted > limit:
            raise QuotaExceededError(
                f"The account-level service limit '{name}' is {limit} Instances, with current utilization of {used} "
                f"Instances and a request delta of {wanted} Instances. Please use AWS Service Quotas to request an "
                "increase for this quota. If AWS Service Quotas is not available, contact AWS support to request an "
                "increase for this quota."
            )
