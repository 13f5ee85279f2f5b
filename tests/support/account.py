"""List the resources in an emulator's AWS account, and empty a bucket."""

from collections.abc import Callable
from typing import Any

from tests.support.emulator import Emulator

LISTINGS: dict[str, Callable[[Any], list[Any]]] = {
    "s3": lambda client: client.list_buckets()["Buckets"],
    "ec2": lambda client: client.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"],
    "lambda": lambda client: client.list_functions()["Functions"],
    "stepfunctions": lambda client: client.list_state_machines()["stateMachines"],
    "iam": lambda client: [role for role in client.list_roles()["Roles"] if role["RoleName"].startswith("scones-")],
    "logs": lambda client: client.describe_log_groups()["logGroups"],
    "dynamodb": lambda client: client.list_tables()["TableNames"],
    "sns": lambda client: client.list_topics()["Topics"],
    "cloudwatch": lambda client: [
        *client.describe_alarms()["MetricAlarms"],
        *client.list_dashboards()["DashboardEntries"],
    ],
    "sqs": lambda client: client.list_queues().get("QueueUrls", []),
    "events": lambda client: client.list_rules()["Rules"],
    "ssm": lambda client: client.describe_parameters()["Parameters"],
    "budgets": lambda client: client.describe_budgets(AccountId="123456789012").get("Budgets", []),
    "scheduler": lambda client: client.list_schedules()["Schedules"],
    "sagemaker": lambda client: [
        *client.list_model_package_groups()["ModelPackageGroupSummaryList"],
        *client.list_models()["Models"],
        *client.list_endpoint_configs()["EndpointConfigs"],
        *client.list_endpoints()["Endpoints"],
    ],
}


def resources(account: Emulator, region: str) -> dict[str, list[Any]]:
    """Return the account's resources by service, without the services that have no resources."""
    found = {service: listing(account.client(service, region)) for service, listing in LISTINGS.items()}
    return {service: items for service, items in found.items() if items}


def delete_all_objects(s3: Any, bucket: str) -> None:
    """Delete every version of every object in a bucket."""
    listed = s3.list_object_versions(Bucket=bucket)
    found = [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]
    objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
