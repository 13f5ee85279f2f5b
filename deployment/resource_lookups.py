"""Requests that find out whether a resource that Terraform plans to create already exists.

LOOKUPS contains the resource types for which a second creation fails or makes a duplicate. CREATED_AGAIN contains all
other types.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NAME_FILTERS = [
    {"Name": "tag:Name", "Values": ["{tags[Name]}"]},
    {"Name": "tag:Environment", "Values": ["{tags[Environment]}"]},
]
IN_VPC = {"Name": "vpc-id", "Values": ["{vpc_id}"]}
RULES_OF_GROUP = {"Filters": [{"Name": "group-id", "Values": ["{security_group_id}"]}]}
# A rule's description is unique within its group and direction
RULE_ID = "SecurityGroupRules[?IsEgress==`{egress}` && Description=='{description}'].SecurityGroupRuleId | [0]"


@dataclass(frozen=True)
class Lookup:
    """A request that finds a resource, and how to read the resource's import ID from the response.

    The strings in `parameters` and `import_id` are templates for `str.format`. Their fields are the planned attributes,
    `account`, `partition`, `region`, and `tags` (all planned tags).

    Attributes
    ----------
    service, operation : boto3's names of the service and of the client's method
    import_id : JMESPath expression that returns the resource's ID for `terraform import` from the response, or null if
        the response does not contain the resource
    parameters : parameters of the request
    owner : attribute that identifies the environment's resources of a type that cannot have tags: if the attribute has
        the planned value, the resource belongs to the environment; None for types that can have tags
    """

    service: str
    operation: str
    import_id: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    owner: str | None = None


LOOKUPS = {
    # AWS refuses to register an existing target again if the request has tags, as the provider's requests do
    "aws_appautoscaling_target": Lookup(
        "application-autoscaling",
        "describe_scalable_targets",
        "ScalableTargets[0] && '{service_namespace}/{resource_id}/{scalable_dimension}'",
        {
            "ServiceNamespace": "{service_namespace}",
            "ResourceIds": ["{resource_id}"],
            "ScalableDimension": "{scalable_dimension}",
        },
    ),
    "aws_budgets_budget": Lookup(
        "budgets", "describe_budget", "'{account}:{name}'", {"AccountId": "{account}", "BudgetName": "{name}"}
    ),
    "aws_cloudwatch_dashboard": Lookup(
        "cloudwatch",
        "get_dashboard",
        "'{dashboard_name}'",
        {"DashboardName": "{dashboard_name}"},
        owner="dashboard_body",
    ),
    "aws_cloudwatch_event_rule": Lookup("events", "describe_rule", "Name", {"Name": "{name}"}),
    # a target that the state does not contain would prevent `make down` from deleting the target's rule, because
    # EventBridge does not delete rules with targets
    "aws_cloudwatch_event_target": Lookup(
        "events",
        "list_targets_by_rule",
        "Targets[?Id=='{target_id}'] | [0] && '{rule}/{target_id}'",
        {"Rule": "{rule}"},
        owner="arn",
    ),
    "aws_cloudwatch_log_group": Lookup(
        "logs",
        "describe_log_groups",
        "logGroups[?logGroupName=='{name}'].logGroupName | [0]",
        {"logGroupNamePrefix": "{name}"},
    ),
    "aws_cloudwatch_metric_alarm": Lookup(
        "cloudwatch", "describe_alarms", "MetricAlarms[0].AlarmName", {"AlarmNames": ["{alarm_name}"]}
    ),
    "aws_dynamodb_table": Lookup("dynamodb", "describe_table", "Table.TableName", {"TableName": "{name}"}),
    "aws_flow_log": Lookup(
        "ec2",
        "describe_flow_logs",
        "FlowLogs[0].FlowLogId",
        {"Filter": [{"Name": "resource-id", "Values": ["{vpc_id}"]}]},
    ),
    "aws_iam_openid_connect_provider": Lookup(
        "iam",
        "list_open_id_connect_providers",
        "OpenIDConnectProviderList[?ends_with(Arn, '/token.actions.githubusercontent.com')].Arn | [0]",
    ),
    "aws_iam_policy": Lookup(
        "iam", "get_policy", "Policy.Arn", {"PolicyArn": "arn:{partition}:iam::{account}:policy/{name}"}
    ),
    "aws_iam_role": Lookup("iam", "get_role", "Role.RoleName", {"RoleName": "{name}"}),
    # ListAliases and not DescribeKey, because the roles may describe only keys, so that AWS may deny a request for an
    # alias that does not exist
    "aws_kms_alias": Lookup(
        "kms", "list_aliases", "Aliases[?AliasName=='{name}'].AliasName | [0]", owner="target_key_id"
    ),
    # a key has no name, so this lookup finds it by the environment's alias; `make down` finds keys without an alias
    "aws_kms_key": Lookup(
        "kms", "list_aliases", "Aliases[?AliasName=='alias/{tags[Project]}-{tags[Environment]}'].TargetKeyId | [0]"
    ),
    "aws_lambda_function": Lookup(
        "lambda", "get_function", "Configuration.FunctionName", {"FunctionName": "{function_name}"}
    ),
    "aws_route_table": Lookup(
        "ec2", "describe_route_tables", "RouteTables[0].RouteTableId", {"Filters": [IN_VPC, *NAME_FILTERS]}
    ),
    "aws_route_table_association": Lookup(
        "ec2",
        "describe_route_tables",
        "RouteTables[0] && '{subnet_id}/{route_table_id}'",
        {"Filters": [{"Name": "association.subnet-id", "Values": ["{subnet_id}"]}]},
        owner="route_table_id",
    ),
    "aws_s3_bucket": Lookup("s3", "head_bucket", "'{bucket}'", {"Bucket": "{bucket}"}),
    "aws_sagemaker_endpoint": Lookup("sagemaker", "describe_endpoint", "EndpointName", {"EndpointName": "{name}"}),
    "aws_sagemaker_model_package_group": Lookup(
        "sagemaker",
        "describe_model_package_group",
        "ModelPackageGroupName",
        {"ModelPackageGroupName": "{model_package_group_name}"},
    ),
    "aws_scheduler_schedule": Lookup(
        "scheduler", "get_schedule", "'default/{name}'", {"Name": "{name}"}, owner="target"
    ),
    "aws_security_group": Lookup(
        "ec2",
        "describe_security_groups",
        "SecurityGroups[0].GroupId",
        {"Filters": [IN_VPC, {"Name": "group-name", "Values": ["{name}"]}]},
    ),
    "aws_sfn_state_machine": Lookup(
        "stepfunctions",
        "describe_state_machine",
        "stateMachineArn",
        {"stateMachineArn": "arn:{partition}:states:{region}:{account}:stateMachine:{name}"},
    ),
    "aws_sns_topic": Lookup(
        "sns",
        "get_topic_attributes",
        "Attributes.TopicArn",
        {"TopicArn": "arn:{partition}:sns:{region}:{account}:{name}"},
    ),
    "aws_sqs_queue": Lookup("sqs", "get_queue_url", "QueueUrl", {"QueueName": "{name}"}),
    "aws_ssm_parameter": Lookup("ssm", "get_parameter", "Parameter.Name", {"Name": "{name}"}),
    "aws_subnet": Lookup(
        "ec2",
        "describe_subnets",
        "Subnets[0].SubnetId",
        {"Filters": [IN_VPC, {"Name": "cidr-block", "Values": ["{cidr_block}"]}]},
    ),
    "aws_vpc": Lookup("ec2", "describe_vpcs", "Vpcs[0].VpcId", {"Filters": NAME_FILTERS}),
    "aws_vpc_endpoint": Lookup(
        "ec2",
        "describe_vpc_endpoints",
        "VpcEndpoints[0].VpcEndpointId",
        {"Filters": [IN_VPC, {"Name": "service-name", "Values": ["{service_name}"]}]},
    ),
    "aws_vpc_security_group_egress_rule": Lookup(
        "ec2", "describe_security_group_rules", RULE_ID.replace("{egress}", "true"), RULES_OF_GROUP
    ),
    "aws_vpc_security_group_ingress_rule": Lookup(
        "ec2", "describe_security_group_rules", RULE_ID.replace("{egress}", "false"), RULES_OF_GROUP
    ),
}

# Types that need no lookup: creating such a resource again replaces or returns the existing resource, and deleting its
# parent resource deletes it
CREATED_AGAIN = {
    "aws_appautoscaling_policy",
    "aws_cloudwatch_log_metric_filter",
    "aws_iam_role_policy",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_logging",
    "aws_s3_bucket_notification",
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_versioning",
    "aws_sns_topic_policy",
    "aws_sns_topic_subscription",
    "aws_sqs_queue_policy",
    # each new resource of the next two types has a unique name; `make down` deletes every resource of these types that
    # has the environment's name prefix and tag
    "aws_sagemaker_endpoint_configuration",
    "aws_sagemaker_model",
}
