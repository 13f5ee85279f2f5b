"""Check an account and this machine before anything is created."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from common import aws
from common.aws import Clients
from common.errors import OperatorError
from common.names import resource_prefix, stack_name
from deployment import quotas
from deployment.quotas import Usage, quota_name
from deployment.terraform import Terraform
from deployment.tools import find_terraform, required_version, version_numbers, version_of

NOT_FOUND = {"404", "NoSuchBucket", "NotFound", "NotFoundException", "ResourceNotFoundException"}
BUCKETS = ("data", "access")
FUNCTIONS = ("serialize", "classify", "filter")
COST_TAG = "Stack"  # the tag by which the budget selects an environment's costs
COST_TAGS = "https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/activating-tags.html"


@dataclass(frozen=True)
class Finding:
    """The result of a check.

    Attributes
    ----------
    status : `no answer` if the caller may not ask, or the emulator does not emulate the request
    check : what was checked
    text : what was found
    fix : what to do about it
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
    """What the checks of an account need.

    Attributes
    ----------
    environment : name of an environment
    settings : its settings, as `read_settings` returns them
    clients : returns a client of the named service, in the environment's region
    """

    environment: str
    settings: Mapping[str, Any]
    clients: Clients


def check_all(account: Account, terraform: Terraform) -> Iterator[Finding]:
    """Yield the findings of all checks; without credentials, those of this machine only."""
    yield from answers("Terraform", lambda: check_terraform(terraform))
    identity = check_credentials(account)
    yield identity
    if identity.status == "FAILED":
        return
    yield check_region(account)
    yield from answers("quotas", lambda: check_quotas(account))
    yield from answers("notifications", lambda: check_subscription(account))
    yield from answers("cost allocation tag", lambda: check_cost_tag(account))
    yield from answers("names", lambda: check_names(account))


def answers(check: str, ask: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield a check's findings; if AWS refuses the request, say that there is no answer."""
    try:
        yield from ask()
    except (ClientError, BotoCoreError) as error:
        yield Finding("no answer", check, explain(error))


def explain(error: Exception) -> str:
    """Return AWS's message, or boto3's, in one line and without a final full stop."""
    message = aws.error_message(error) if isinstance(error, ClientError) else str(error)
    return " ".join(message.split()).rstrip(".")


def check_terraform(terraform: Terraform) -> Iterator[Finding]:
    """Check Terraform's version, and that it can install the locked provider and reach its state."""
    program, required = find_terraform(), required_version()
    version = version_of(program)
    if version_numbers(version) < version_numbers(required):
        yield Finding("FAILED", "Terraform", f"{program} is {version}, older than {required}", "Run `make setup`")
        return
    try:
        terraform.init()
    except OperatorError as error:
        fix = "Allow access to registry.terraform.io, or set TF_PROVIDER_MIRROR to a filesystem mirror"
        yield Finding("FAILED", "Terraform", str(error), fix)
        return
    yield Finding("ok", "Terraform", f"{version}, with the provider that terraform/.terraform.lock.hcl locks")


def check_credentials(account: Account) -> Finding:
    """Check that AWS accepts the credentials."""
    try:
        identity = account.clients("sts").get_caller_identity()
    except (ClientError, BotoCoreError) as error:
        fix = "Run `aws configure sso` or `aws sso login`, and set AWS_PROFILE"
        return Finding("FAILED", "credentials", explain(error), fix)
    return Finding("ok", "credentials", f"{identity['Arn']} in account {identity['Account']}")


def check_region(account: Account) -> Finding:
    """Check that the environment is in the region of the profile, where `make bootstrap` creates the state bucket."""
    wanted, found = account.settings["region"], aws.default_region()
    if wanted == found:
        return Finding("ok", "region", wanted)
    fix = f"Set AWS_REGION={wanted}, or region in terraform/environments/{account.environment}.tfvars"
    return Finding("warning", "region", f"the settings name {wanted}, and the profile {found}", fix)


def check_quotas(account: Account) -> Iterator[Finding]:
    """Compare the account's quotas with the instances that the settings need."""
    needs = instance_needs(account.settings)
    found = quotas.quotas(needs, account.clients("service-quotas"))
    for name, count in needs.items():
        if name not in found:
            yield Finding("no answer", "quota", f"Service Quotas does not have {name}", "Check the instance type")
        elif found[name] < count:
            fix = f"Request {count} or more at {quotas.CONSOLE}, or set another instance type"
            yield Finding("FAILED", "quota", f"{name} is {found[name]}, and {count} are needed", fix)
        else:
            yield Finding("ok", "quota", f"{name} is {found[name]}, and {count} are needed")


def instance_needs(settings: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of instances that the settings need, by the name of the quota.

    An update of the endpoint runs the new instances beside the old ones:
    https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html
    The built-in algorithm is left out, because only `make train ALGORITHM=image-classification` uses it.
    """
    usage: Usage = "spot training job usage" if settings["training_spot"] else "training job usage"
    needs = {
        quota_name(settings["training_instance_type"], usage): settings["training_instance_count"],
        quota_name(settings["endpoint_instance_type"], "transform job usage"): 1,
    }
    if settings["serverless"] is None:
        most = settings["endpoint_max_instance_count"] or settings["endpoint_instance_count"]
        needs[quota_name(settings["endpoint_instance_type"], "endpoint usage")] = 2 * most
    return needs


def check_subscription(account: Account) -> Iterator[Finding]:
    """Check that somebody receives what alarms and the budget publish."""
    check = "notifications"
    identity = account.clients("sts").get_caller_identity()
    partition = identity["Arn"].split(":")[1]
    topic = f"{resource_prefix(account.environment)}failures"
    arn = f"arn:{partition}:sns:{account.settings['region']}:{identity['Account']}:{topic}"
    pages = account.clients("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
    try:
        subscriptions = [each for page in pages for each in page["Subscriptions"]]
    except ClientError as error:
        if aws.error_code(error) not in NOT_FOUND:
            raise
        subscriptions = []
    waiting = [each["Endpoint"] for each in subscriptions if each["SubscriptionArn"] == "PendingConfirmation"]
    if len(waiting) < len(subscriptions):
        yield Finding("ok", check, f"{topic} has a confirmed subscription")
    elif waiting:
        fix = "Open the e-mail from AWS Notifications and confirm it"
        yield Finding("FAILED", check, f"{', '.join(waiting)} did not confirm the subscription of {topic}", fix)
    elif email := account.settings["failure_email"]:
        yield Finding("warning", check, f"`make up` subscribes {email} to {topic}", "Confirm the e-mail, and run again")
    else:
        fix = f'Set failure_email = "you@example.com" in terraform/environments/{account.environment}.tfvars'
        yield Finding("warning", check, "nobody receives alarms and the budget's notifications", fix)


def check_cost_tag(account: Account) -> Iterator[Finding]:
    """Check that the cost allocation tag is active, without which the budget counts nothing."""
    check = "cost allocation tag"
    response = account.clients("ce").list_cost_allocation_tags(TagKeys=[COST_TAG], Type="UserDefined")
    status = next((tag["Status"] for tag in response["CostAllocationTags"] if tag["TagKey"] == COST_TAG), None)
    fix = f"Activate it in the organization's management account: {COST_TAGS}"
    if status == "Active":
        yield Finding("ok", check, f"{COST_TAG} is active")
    elif status:
        yield Finding("FAILED", check, f"{COST_TAG} is {status}, so the budget counts nothing", fix)
    else:
        text = f"{COST_TAG} is unknown to billing, up to 24 hours after the first `make up`"
        yield Finding("warning", check, text, f"{fix} then")


def check_names(account: Account) -> Iterator[Finding]:
    """Check that no resource without this environment's tag has a name that Terraform will use."""
    prefix, tag = resource_prefix(account.environment), f"{COST_TAG}={stack_name(account.environment)}"
    own = tagged_arns(account)
    used = [*used_names(account), *log_groups(account)]
    taken = [name for name in used if not any(arn.endswith((f":{name}", f"/{name}")) for arn in own)]
    if taken := [*taken, *untagged_roles(account)]:
        fix = f"Delete or rename them, or add the tag {tag} to those that belong to {account.environment}"
        yield Finding("FAILED", "names", f"without the tag {tag}: {', '.join(taken)}", fix)
    else:
        yield Finding("ok", "names", f"{prefix}* are free, or {account.environment}'s own")


def tagged_arns(account: Account) -> list[str]:
    """Return the ARNs of all resources with the environment's tag."""
    filters = [{"Key": COST_TAG, "Values": [stack_name(account.environment)]}]
    tagging = account.clients("resourcegroupstaggingapi")
    pages = tagging.get_paginator("get_resources").paginate(TagFilters=filters)
    return [each["ResourceARN"] for page in pages for each in page["ResourceTagMappingList"]]


def used_names(account: Account) -> Iterator[str]:
    """Yield the names that Terraform will use and that a bucket, function, table or endpoint has already."""
    prefix, number = resource_prefix(account.environment), account.clients("sts").get_caller_identity()["Account"]
    head_bucket = account.clients("s3").head_bucket
    get_function = account.clients("lambda").get_function_configuration
    uses = [
        *((f"{prefix}{purpose}-{number}", head_bucket, "Bucket") for purpose in BUCKETS),
        *((f"{prefix}{purpose}", get_function, "FunctionName") for purpose in FUNCTIONS),
        (f"{prefix}vehicles", account.clients("dynamodb").describe_table, "TableName"),
        (f"{prefix}vehicles", account.clients("sagemaker").describe_endpoint, "EndpointName"),
    ]
    yield from dict.fromkeys(name for name, describe, parameter in uses if exists(describe, parameter, name))


def log_groups(account: Account) -> Iterator[str]:
    """Yield the log groups of functions and the endpoint; a function that logs after `make down` creates its own."""
    paginator = account.clients("logs").get_paginator("describe_log_groups")
    for service in ("lambda", "sagemaker/Endpoints"):
        for page in paginator.paginate(logGroupNamePrefix=f"/aws/{service}/{resource_prefix(account.environment)}"):
            yield from (group["logGroupName"] for group in page["logGroups"])


def untagged_roles(account: Account) -> Iterator[str]:
    """Yield the roles with the environment's prefix that lack its tag; the tagging API does not list roles."""
    iam, own = account.clients("iam"), {"Key": COST_TAG, "Value": stack_name(account.environment)}
    names = (role["RoleName"] for page in iam.get_paginator("list_roles").paginate() for role in page["Roles"])
    for name in names:
        if name.startswith(resource_prefix(account.environment)) and own not in role_tags(name, iam):
            yield name


def role_tags(name: str, iam: Any) -> list[dict[str, str]]:
    """Return a role's tags."""
    tags: list[dict[str, str]] = iam.list_role_tags(RoleName=name)["Tags"]
    return tags


def exists(describe: Callable[..., object], parameter: str, name: str) -> bool:
    """Return whether a resource exists; S3 answers 403 about the buckets of other accounts."""
    try:
        describe(**{parameter: name})
    except ClientError as error:
        if aws.error_code(error) in NOT_FOUND or aws.is_not_found(error):
            return False
        if aws.error_code(error) != "403":
            raise
    return True
