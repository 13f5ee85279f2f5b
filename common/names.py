"""Names of AWS resources, for code that cannot read them from Terraform's outputs.

After an apply that failed half-way there are no outputs, and the state bucket is needed before Terraform can read its
state. `terraform/main.tf` and `terraform/bootstrap` use the same names. All other code reads names from `Stack`.
"""


def stack_name(environment: str) -> str:
    """Return the value of the tag `Stack` on an environment's resources."""
    return f"scones-{environment}"


def resource_prefix(environment: str) -> str:
    """Return the prefix of an environment's resource names; the final dash distinguishes `dev` from `dev2`."""
    return f"{stack_name(environment)}-"


def parameter_path(environment: str) -> str:
    """Return the path of an environment's SSM parameters."""
    return f"/scones/{environment}"


def state_bucket(account_id: str) -> str:
    """Return the name of the S3 bucket that holds an account's Terraform states."""
    return f"scones-state-{account_id}"
