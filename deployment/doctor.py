"""Check an account and this machine before anything is created."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from common import aws
from common.aws import Clients
from common.errors import OperatorError
from common.names import resource_prefix
from deployment import quotas
from deployment.cost import DRIFT_INSTANCE
from deployment.existing_resources import conflict_advice, find_imports
from deployment.notifications import INACTIVE
from deployment.quotas import Usage, quota_name
from deployment.tagged_resources import is_missing
from deployment.terraform import Terraform
from deployment.tools import find_terraform, required_version, version_numbers, version_of

COST_TAG = "Stack"  # the tag by which the budget selects an environment's costs
ACTIVATION_HELP = "https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/activating-tags.html"


@dataclass(frozen=True)
class Finding:
    """The result of a check.

    Attributes
    ----------
    status : result of the check; `no answer` if the check cannot be made, because AWS cannot be reached or refuses a
        request, the emulator does not support the request, or the quota does not exist
    check : subject of the check
    text : what the check found
    fix : what the operator should do
    """

    status: Literal["ok", "warning", "no answer", "FAILED"]
    check: str
    text: str
    fix: str = ""

    def __str__(self) -> str:
        """Return the finding in one line."""
        return f"{self.status:<10}{self.check}: {self.text}{f'. {self.fix}' if self.fix else ''}"


@dataclass(frozen=True)
class Account:
    """The environment, settings and AWS clients that the checks use.

    Attributes
    ----------
    environment : name of the environment
    settings : the environment's settings, as `deployment.settings.read_settings` returns them
    clients : returns an AWS client in the environment's region, given a service name
    """

    environment: str
    settings: Mapping[str, Any]
    clients: Clients


def check_all(account: Account, terraform: Terraform) -> Iterator[Finding]:
    """Yield the findings of all checks; without valid credentials, only those about Terraform and the credentials."""
    yield from run_check("Terraform", lambda: check_terraform(terraform))
    identity = check_credentials(account)
    yield identity
    if identity.status == "FAILED":
        return
    yield check_region(account)
    yield from run_check("quotas", lambda: check_quotas(account))
    yield from run_check("notifications", lambda: check_subscription(account))
    yield from run_check("cost allocation tag", lambda: check_cost_tag(account))
    yield from run_check("names", lambda: check_names(account, terraform))


def run_check(check: str, run: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield a check's findings, or one with the status `no answer` if AWS cannot be reached or refuses a request."""
    try:
        yield from run()
    except (ClientError, BotoCoreError) as error:
        yield Finding("no answer", check, explain(error))


def explain(error: Exception) -> str:
    """Return the error message of AWS or boto3 in one line, without a final full stop."""
    message = aws.error_message(error) if isinstance(error, ClientError) else str(error)
    return " ".join(message.split()).rstrip(".")


def check_terraform(terraform: Terraform) -> Iterator[Finding]:
    """Check Terraform's version, and that Terraform can install the locked provider and reach the state."""
    program, required = find_terraform(), required_version()
    version = version_of(program)
    if version_numbers(version) < version_numbers(required):
        yield Finding("FAILED", "Terraform", f"{program} is {version}, older than {required}", "Run `make setup`")
        return
    try:
        terraform.init()
    except OperatorError as error:
        fix = "Allow access to the state and to registry.terraform.io, or set TF_PROVIDER_MIRROR to a filesystem mirror"
        yield Finding("FAILED", "Terraform", str(error), fix)
        return
    yield Finding("ok", "Terraform", f"{version}, with the locked provider")


def check_credentials(account: Account) -> Finding:
    """Check that AWS accepts the credentials."""
    try:
        identity = account.clients("sts").get_caller_identity()
    except (ClientError, BotoCoreError) as error:
        fix = "Run `aws configure sso` or `aws sso login`, and set AWS_PROFILE"
        return Finding("FAILED", "credentials", explain(error), fix)
    return Finding("ok", "credentials", f"{identity['Arn']} in account {identity['Account']}")


def check_region(account: Account) -> Finding:
    """Check that the region in the settings is the default region, in which the AWS CLI looks for the resources."""
    configured, default = account.settings["region"], aws.default_region()
    if configured == default:
        return Finding("ok", "region", configured)
    fix = f"Set AWS_REGION={configured}, or region in terraform/environments/{account.environment}.tfvars"
    return Finding(
        "warning",
        "region",
        f"the settings have {configured}, but the default region (from AWS_REGION or the profile) is {default}",
        fix,
    )


def check_quotas(account: Account) -> Iterator[Finding]:
    """Compare the account's quotas with the instances that the settings need."""
    needs = instance_needs(account.settings)
    found = quotas.quotas(needs, account.clients("service-quotas"))
    for name, count in needs.items():
        if name not in found:
            yield Finding("no answer", "quota", f"Service Quotas has no quota `{name}`", "Check the instance type")
        elif found[name] < count:
            change = "drift_schedule = null" if "processing" in name else "another instance type"
            fix = f"Request {count} or more at {quotas.CONSOLE}, or set {change}"
            yield Finding("FAILED", "quota", f"{name} is {found[name]}, and {count} are needed", fix)
        else:
            yield Finding("ok", "quota", f"{name} is {found[name]}, and {count} are needed")


def instance_needs(settings: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of instances that the settings need, by quota name.

    During an update of the endpoint, the new and the old instances run at the same time, so the endpoint needs twice
    its instances: https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html
    The instances of `make train ALGORITHM=image-classification` and the second instance of `make tune` are not
    included, because an environment works without these commands.
    """
    usage: Usage = "spot training job usage" if settings["training_spot"] else "training job usage"
    needs = {
        quota_name(settings["training_instance_type"], usage): settings["training_instance_count"],
        quota_name(settings["endpoint_instance_type"], "transform job usage"): 1,
    }
    if settings["serverless"] is None:
        most = settings["endpoint_max_instance_count"] or settings["endpoint_instance_count"]
        needs[quota_name(settings["endpoint_instance_type"], "endpoint usage")] = 2 * most
    if settings["drift_schedule"] and settings["capture_percentage"]:
        needs[quota_name(DRIFT_INSTANCE, "processing job usage")] = 1
    return needs


def check_subscription(account: Account) -> Iterator[Finding]:
    """Check that the failures topic, to which the alarms and the budget publish, has a confirmed subscription."""
    check = "notifications"
    identity = account.clients("sts").get_caller_identity()
    partition = identity["Arn"].split(":")[1]
    topic = f"{resource_prefix(account.environment)}failures"
    arn = f"arn:{partition}:sns:{account.settings['region']}:{identity['Account']}:{topic}"
    pages = account.clients("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
    try:
        subscriptions = [each for page in pages for each in page["Subscriptions"]]
    except ClientError as error:
        if not is_missing(error):
            raise
        subscriptions = []
    waiting = [each["Endpoint"] for each in subscriptions if each["SubscriptionArn"] == "PendingConfirmation"]
    if any(each["SubscriptionArn"] not in INACTIVE for each in subscriptions):
        yield Finding("ok", check, f"{topic} has a confirmed subscription")
    elif waiting:
        fix = "Open the e-mail from AWS Notifications and confirm it"
        yield Finding("FAILED", check, f"{', '.join(waiting)} did not confirm the subscription of {topic}", fix)
    elif email := account.settings["failure_email"]:
        up = f"`make up ENV={account.environment}`"
        fix = f"After {up}, confirm the subscription in the e-mail from AWS"
        yield Finding("warning", check, f"{up} will subscribe {email} to {topic}", fix)
    else:
        fix = f'Set failure_email = "you@example.com" in terraform/environments/{account.environment}.tfvars'
        yield Finding("warning", check, "nobody receives alarms and the budget's notifications", fix)


def check_cost_tag(account: Account) -> Iterator[Finding]:
    """Check that the cost allocation tag is active; the budget counts no costs until it is."""
    check = "cost allocation tag"
    response = account.clients("ce").list_cost_allocation_tags(TagKeys=[COST_TAG], Type="UserDefined")
    status = next((tag["Status"] for tag in response["CostAllocationTags"] if tag["TagKey"] == COST_TAG), None)
    where = f"in the organization's management account: {ACTIVATION_HELP}"
    if status == "Active":
        yield Finding("ok", check, f"{COST_TAG} is active")
    elif status:
        yield Finding("FAILED", check, f"{COST_TAG} is {status}, so the budget counts nothing", f"Activate it {where}")
    else:
        text = f"AWS Billing does not list {COST_TAG} yet: this can take 24 hours after the first `make up`"
        yield Finding("warning", check, text, f"Once it is listed, activate it {where}")


def check_names(account: Account, terraform: Terraform) -> Iterator[Finding]:
    """Check that no resource outside the environment has a name that the next `make up` needs.

    The names come from a plan, which this check deletes afterwards. Resources of types that are not in
    `resource_lookups.py` are not checked, nor is the endpoint's name until a model is approved, because the plan
    contains no endpoint.
    """
    check = "names"
    try:
        imports = find_imports(terraform, lambda service, region: account.clients(service))
    except OperatorError as error:
        yield Finding("FAILED", check, str(error))
        return
    imports.plan.path.unlink(missing_ok=True)
    for address, reason in imports.refused.items():
        yield Finding("FAILED", check, f"{address}: {reason}")
    if imports.conflicting:
        names = ", ".join(f"{address} ({import_id})" for address, import_id in imports.conflicting.items())
        yield Finding("FAILED", check, f"taken: {names}", conflict_advice(imports, account.environment))
    elif not imports.refused:
        yield Finding("ok", check, f"free, or in use by resources of {account.environment}")
