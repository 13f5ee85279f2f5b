"""Check whether the resources that the tagging API lists still exist.

The Resource Groups Tagging API lists some resources for hours after their deletion.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from common.aws import Clients, error_code, error_message

NOT_FOUND_CODE = re.compile(r"NotFound|NoSuch|DoesNotExist|NonExistent|^404$")
# SageMaker returns ValidationException for a missing resource and for invalid requests; only the message differs
NOT_FOUND_MESSAGE = re.compile(r"could not find|does not exist", re.IGNORECASE)

# A function of the AWS clients, a resource's ARN and its name. It returns a truthy value if the resource exists, and
# otherwise returns a falsy value or raises ClientError
Describe = Callable[[Clients, str, str], object]


def exists(arn: str, clients: Clients) -> bool:
    """Return False only if the AWS service of a resource says that the resource does not exist.

    The result is True if the resource exists, if `DESCRIBE` does not contain its type, or if the request fails for
    another reason, such as a missing permission.

    Parameters
    ----------
    clients : creates AWS clients in the resource's region
    """
    service, resource = arn.split(":", 5)[2::3]
    kind, name = re.fullmatch(r"(?:([a-zA-Z-]+)[:/])?(.+?)(?::\*)?", resource).groups()  # type: ignore[union-attr]
    describe = DESCRIBE.get(f"{service}:{kind}" if kind else service)
    if describe is None:
        return True
    try:
        return bool(describe(clients, arn, name))
    except ClientError as error:
        return not is_missing(error)


def is_missing(error: ClientError) -> bool:
    """Return whether a request failed because the resource does not exist."""
    if error_code(error) == "ValidationException":
        return bool(NOT_FOUND_MESSAGE.search(error_message(error)))
    return bool(NOT_FOUND_CODE.search(error_code(error)))


def describe_sagemaker(operation: str, parameter: str) -> Describe:
    """Return a function that describes a SageMaker resource by its name.

    Parameters
    ----------
    operation : name of the boto3 method
    parameter : name of the method's parameter for the resource's name
    """
    return lambda clients, arn, name: getattr(clients("sagemaker"), operation)(**{parameter: name})


def describe_ec2(operation: str, key: str, filter_name: str, parameter: str = "Filters") -> Describe:
    """Return a function that finds an EC2 resource by its ID, and ignores it if its state is `deleted`.

    Parameters
    ----------
    operation : name of the boto3 method
    key : field of the response that contains the resources
    filter_name : name of the filter for the resource's ID
    parameter : name of the method's parameter for filters
    """

    def describe(clients: Clients, arn: str, name: str) -> list[Mapping[str, Any]]:
        filters = [{"Name": filter_name, "Values": [name]}]
        found = getattr(clients("ec2"), operation)(**{parameter: filters})[key]
        return [each for each in found if each.get("State") != "deleted"]

    return describe


DESCRIBE: dict[str, Describe] = {
    "application-autoscaling:scalable-target": lambda clients, arn, name: clients(
        "application-autoscaling"
    ).list_tags_for_resource(ResourceARN=arn),
    "budgets:budget": lambda clients, arn, name: clients("budgets").describe_budget(
        AccountId=arn.split(":")[4], BudgetName=name
    ),
    "cloudwatch:alarm": lambda clients, arn, name: clients("cloudwatch").describe_alarms(AlarmNames=[name])[
        "MetricAlarms"
    ],
    "dynamodb:table": lambda clients, arn, name: clients("dynamodb").describe_table(TableName=name),
    "ec2:route-table": describe_ec2("describe_route_tables", "RouteTables", "route-table-id"),
    "ec2:security-group": describe_ec2("describe_security_groups", "SecurityGroups", "group-id"),
    "ec2:security-group-rule": describe_ec2(
        "describe_security_group_rules", "SecurityGroupRules", "security-group-rule-id"
    ),
    "ec2:subnet": describe_ec2("describe_subnets", "Subnets", "subnet-id"),
    "ec2:vpc": describe_ec2("describe_vpcs", "Vpcs", "vpc-id"),
    "ec2:vpc-endpoint": describe_ec2("describe_vpc_endpoints", "VpcEndpoints", "vpc-endpoint-id"),
    "ec2:vpc-flow-log": describe_ec2("describe_flow_logs", "FlowLogs", "flow-log-id", "Filter"),
    "events:rule": lambda clients, arn, name: clients("events").describe_rule(Name=name),
    "lambda:function": lambda clients, arn, name: clients("lambda").get_function(FunctionName=name),
    "logs:log-group": lambda clients, arn, name: clients("logs").list_tags_for_resource(
        resourceArn=arn.removesuffix(":*")
    ),
    "s3": lambda clients, arn, name: clients("s3").head_bucket(Bucket=name),
    "sagemaker:endpoint": describe_sagemaker("describe_endpoint", "EndpointName"),
    "sagemaker:endpoint-config": describe_sagemaker("describe_endpoint_config", "EndpointConfigName"),
    "sagemaker:model": describe_sagemaker("describe_model", "ModelName"),
    "sagemaker:model-package": lambda clients, arn, name: clients("sagemaker").describe_model_package(
        ModelPackageName=arn
    ),
    "sagemaker:model-package-group": describe_sagemaker("describe_model_package_group", "ModelPackageGroupName"),
    "sns": lambda clients, arn, name: clients("sns").get_topic_attributes(TopicArn=arn),
    "sqs": lambda clients, arn, name: clients("sqs").get_queue_url(QueueName=name),
    # a parameter's name begins with a slash, but `exists` takes the slash in the ARN for a separator
    "ssm:parameter": lambda clients, arn, name: clients("ssm").get_parameter(Name=f"/{name}"),
    "states:stateMachine": lambda clients, arn, name: clients("stepfunctions").describe_state_machine(
        stateMachineArn=arn
    ),
}
