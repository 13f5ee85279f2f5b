"""Import resources that a killed apply created in AWS but did not write to Terraform's state.

Terraform writes a resource to its state only after AWS has created the resource. If the state is in S3, Terraform
uploads the state only every 20 seconds. A killed apply can therefore leave resources that the state does not contain:
https://github.com/hashicorp/terraform/pull/32680
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jmespath
from botocore.exceptions import BotoCoreError, ClientError

from common.aws import Clients, error_code, error_message
from common.errors import OperatorError
from deployment.resource_lookups import LOOKUPS, Lookup
from deployment.tagged_resources import is_missing
from deployment.terraform import Plan, Terraform

# The tags that identify an environment: their values together are unique in the account
IDENTITY = ("Project", "Environment")
# HeadBucket has no error message, and its error code is the HTTP status:
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
BUCKET_ERRORS = {
    "301": "exists in another region",
    "400": "exists in another region, or the credentials are invalid",
    "403": "exists in another account, or you may not read it",
}


class ResourceConflictError(OperatorError):
    """A resource with a planned name exists, but does not belong to the environment."""


class RefusedLookupError(OperatorError):
    """The request that would show whether a planned resource exists fails, or an existing key cannot be imported."""


@dataclass(frozen=True)
class Imports:
    """The planned resources that already exist, and a plan that imports them instead of creating them again.

    Attributes
    ----------
    plan : the saved plan, which imports the resources in `own` and `conflicting`
    content : content of the plan, as `Terraform.show` returns it; empty if the plan is empty
    own : import IDs of the existing resources that belong to the environment, by Terraform address
    conflicting : import IDs of the existing resources that do not belong to the environment, by Terraform address
    refused : reasons why planned resources cannot be looked up or imported, by Terraform address
    """

    plan: Plan
    content: Mapping[str, Any]
    own: Mapping[str, str]
    conflicting: Mapping[str, str]
    refused: Mapping[str, str]


def plan_with_imports(
    terraform: Terraform, client: Callable[..., Any], **options: Any
) -> tuple[Plan, Mapping[str, Any]]:
    """Save a plan that imports the planned resources that already exist, and return the plan and its content.

    The content is empty if the plan changes nothing.

    Parameters
    ----------
    client : returns an AWS client, given `service` and `region`
    options : arguments of `Terraform.plan`

    Raises
    ------
    ResourceConflictError
        A resource with a planned name exists, but does not have the environment's tags.
    RefusedLookupError
        A planned resource cannot be looked up or imported.
    TerraformError
        The plan fails.
    """
    imports = find_imports(terraform, client, **options)
    if imports.conflicting or imports.refused:
        imports.plan.path.unlink()
    if imports.refused:
        reasons = "; ".join(f"{address} ({reason})" for address, reason in imports.refused.items())
        raise RefusedLookupError(
            f"nothing was changed, because resources of {terraform.environment} cannot be looked up or imported: "
            f"{reasons}"
        )
    if imports.conflicting:
        names = ", ".join(f"{address} ({import_id})" for address, import_id in imports.conflicting.items())
        raise ResourceConflictError(
            f"nothing was changed, because resources with names of {terraform.environment} exist and lack the tags of "
            f"{terraform.environment}: {names}. {conflict_advice(imports, terraform.environment)}"
        )
    print_imports(imports)
    return imports.plan, imports.content


def import_into_state(terraform: Terraform, client: Callable[..., Any]) -> None:
    """Import the environment's resources that the state does not contain, so that Terraform can destroy them.

    A destroy plan ignores import blocks, so this function applies a separate plan for these resources.
    """
    # without refresh, because the later destroy plan refreshes the resources in the state
    imports = find_imports(terraform, client, refresh=False)
    for address, reason in imports.refused.items():
        print(f"{address} cannot be looked up or imported: {reason}")
    print_imports(imports)
    if imports.own:
        terraform.apply(terraform.plan(imports=imports.own, targets=imports.own))


def print_imports(imports: Imports) -> None:
    """Print the resources that a plan imports, with a note for each resource that the plan also replaces."""
    for change in imports.content.get("resource_changes", []):
        if change["address"] in imports.own:
            replaces = "delete" in change["change"]["actions"]
            note = ". The plan replaces it, because its settings differ from the configuration" if replaces else ""
            print(f"importing {change['address']}, which exists and is missing from Terraform's state{note}")


def conflict_advice(imports: Imports, environment: str) -> str:
    """Return the advice for resources that have a planned name but do not belong to the environment."""
    types = {address: kind for address in imports.conflicting for kind in re.findall(r"\b(aws_\w+)\.", address)}
    untaggable = [address for address, kind in types.items() if LOOKUPS[kind].owner]
    if len(untaggable) == len(imports.conflicting):
        return "Delete or rename them: resources of these types cannot have tags"
    advice = f"Delete them, or, if they belong to {environment}, add the tags of the environment's other resources"
    return f"{advice} (not to {', '.join(untaggable)}, which cannot have tags)" if untaggable else advice


def find_imports(terraform: Terraform, client: Callable[..., Any], **options: Any) -> Imports:
    """Save a plan that imports the existing resources with planned names.

    The lookup of a resource may need another resource's ID: a subnet is found by the ID of its VPC, which is known only
    after the VPC is imported. Therefore the function plans again until no further resource is found.
    """
    plan, ids = terraform.plan(**options), dict[str, str]()
    # do not read an empty plan, because `terraform show` takes seconds
    content = {} if plan.empty else terraform.show(plan)

    @cache
    def clients(service: str) -> Any:
        return client(service, region=content["variables"]["region"]["value"])

    found, refused = find_existing(content.get("resource_changes", []), clients)
    while found:
        ids |= found
        plan = terraform.plan(imports=ids, **options)
        content = terraform.show(plan)
        found, refused = find_existing(content.get("resource_changes", []), clients)
    # the provider creates a bucket before it adds the tags, so a bucket of an interrupted apply may lack them
    interrupted = terraform.interrupted_creations() if ids else set()
    own = {
        change["address"]
        for change in content.get("resource_changes", [])
        if change["address"] in ids and (is_own(change) or change["address"] in interrupted)
    }
    return Imports(
        plan,
        content,
        {address: import_id for address, import_id in ids.items() if address in own},
        {address: import_id for address, import_id in ids.items() if address not in own},
        refused,
    )


def find_existing(changes: Iterable[Mapping[str, Any]], clients: Clients) -> tuple[dict[str, str], dict[str, str]]:
    """Return the import IDs of existing resources, and the reasons why others cannot be imported, both by address."""
    creations = [
        change for change in changes if change["change"]["actions"] == ["create"] and change["type"] in LOOKUPS
    ]
    if not creations:
        return {}, {}
    caller = clients("sts").get_caller_identity()
    general = {
        "account": caller["Account"],
        "partition": caller["Arn"].split(":")[1],
        "region": clients("sts").meta.region_name,
    }
    found, refused = dict[str, str](), dict[str, str]()
    for change in creations:
        try:
            import_id = find_import_id(LOOKUPS[change["type"]], {**general, **planned_attributes(change)}, clients)
            if import_id and change["type"] == "aws_kms_key":
                check_key(import_id, clients)
        except RefusedLookupError as error:
            refused[change["address"]] = str(error)
        else:
            found |= {change["address"]: import_id} if import_id else {}
    return found, refused


def planned_attributes(change: Mapping[str, Any]) -> dict[str, Any]:
    """Return the known attributes of a planned resource, and in `tags` all its tags, including the default tags."""
    after = change["change"]["after"]
    known = {name: value for name, value in after.items() if value is not None}
    return {**known, "tags": after.get("tags_all") or {}}


def find_import_id(lookup: Lookup, attributes: Mapping[str, Any], clients: Clients) -> str | None:
    """Return a resource's import ID, or None if the resource does not exist or the plan lacks an attribute to find it.

    Raises
    ------
    RefusedLookupError
        The request fails.
    """
    try:
        parameters = fill(lookup.parameters, attributes)
        import_id = lookup.import_id.format_map(attributes)
    except KeyError:
        return None
    response = request(clients(lookup.service), lookup.operation, parameters)
    found: str | None = None if response is None else jmespath.search(import_id, response)
    return found


def check_key(key_id: str, clients: Clients) -> None:
    """Check that a KMS key is not waiting for its deletion, because Terraform treats such a key as deleted.

    Raises
    ------
    RefusedLookupError
        The key is waiting for its deletion, or the request fails.
    """
    key = request(clients("kms"), "describe_key", {"KeyId": key_id})
    if key and key["KeyMetadata"]["KeyState"] == "PendingDeletion":
        raise RefusedLookupError(
            f"the KMS key {key_id} is waiting for its deletion: run `aws kms cancel-key-deletion --key-id {key_id}` "
            f"and `aws kms enable-key --key-id {key_id}`, or delete the key's alias to create a new key"
        )


def request(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
    """Return the response to a request, or None if the resource does not exist.

    The pages of a paginated operation are combined.

    Raises
    ------
    RefusedLookupError
        AWS refuses the request, or cannot be reached.
    """
    try:
        if client.can_paginate(operation):
            return client.get_paginator(operation).paginate(**parameters).build_full_result()
        return getattr(client, operation)(**parameters)
    except BotoCoreError as error:
        raise RefusedLookupError(" ".join(str(error).split()).rstrip(".")) from error
    except ClientError as error:
        if is_missing(error):
            return None
        if operation == "head_bucket" and (reason := BUCKET_ERRORS.get(error_code(error))):
            raise RefusedLookupError(f"the bucket {parameters['Bucket']} {reason}") from error
        raise RefusedLookupError(f"{error.operation_name}: {error_message(error).rstrip('.')}") from error


def fill(template: Any, attributes: Mapping[str, Any]) -> Any:
    """Return the request parameters of a template, with attributes inserted into its strings."""
    if isinstance(template, str):
        return template.format_map(attributes)
    if isinstance(template, list):
        return [fill(item, attributes) for item in template]
    return {name: fill(value, attributes) for name, value in template.items()}


def is_own(change: Mapping[str, Any]) -> bool:
    """Return whether an imported resource belongs to the environment.

    It belongs to the environment if it has the environment's tags. A resource that cannot have tags belongs to the
    environment if the attribute that its `Lookup` names as `owner` has the planned value.
    """
    before, after = change["change"]["before"], change["change"]["after"]
    owner = LOOKUPS[change["type"]].owner
    if owner:
        return bool(before[owner] == after.get(owner))
    tags = before.get("tags_all") or {}
    return all(tags.get(name) == after["tags_all"].get(name) for name in IDENTITY)
