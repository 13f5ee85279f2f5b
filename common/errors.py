"""What an operator can mend."""


class OperatorError(Exception):
    """A condition that the operator can mend; the message says how."""


class TerraformError(OperatorError):
    """Terraform refused or failed."""


class TerraformMissingError(OperatorError):
    """There is no Terraform, or an older one than the project needs."""
