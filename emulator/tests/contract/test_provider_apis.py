"""Operations that Terraform's AWS provider and the SageMaker SDK need, and that sagelocal adds to moto or corrects."""

import json
from typing import Any
from urllib.parse import unquote_plus

import pytest
from botocore.exceptions import ClientError

from .functions import make_function, unique


@pytest.fixture
def bucket(emulator: Any) -> str:
    """Create a bucket and return its name."""
    name = unique("bucket")
    emulator.client("s3").create_bucket(Bucket=name)
    return name


def deny_statement(bucket: str, **additions: Any) -> dict[str, Any]:
    """Return a bucket policy statement that denies all requests to the bucket.

    additions : more members, such as a condition that restricts the statement
    """
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        **additions,
    }


def put_policy(emulator: Any, bucket: str, *statements: dict[str, Any]) -> None:
    """Set the bucket policy to these statements."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    emulator.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy)


def test_bucket_policy_that_requires_tls_allows_requests_over_http(emulator: Any, bucket: str) -> None:
    # GIVEN
    put_policy(emulator, bucket, deny_statement(bucket, Condition={"Bool": {"aws:SecureTransport": "false"}}))
    # WHEN
    emulator.client("s3").put_object(Bucket=bucket, Key="a", Body=b"x")
    # THEN
    assert emulator.client("s3").get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"


def test_deny_statement_without_a_condition_denies_requests(emulator: Any, bucket: str) -> None:
    # GIVEN
    put_policy(emulator, bucket, deny_statement(bucket))
    # WHEN / THEN
    with pytest.raises(ClientError, match="403"):
        emulator.client("s3").put_object(Bucket=bucket, Key="a", Body=b"x")


def test_notification_configuration_contains_eventbridge_after_it_is_enabled(emulator: Any, bucket: str) -> None:
    # GIVEN
    s3 = emulator.client("s3")
    before = s3.get_bucket_notification_configuration(Bucket=bucket)
    # WHEN
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    # THEN
    assert "EventBridgeConfiguration" not in before
    assert s3.get_bucket_notification_configuration(Bucket=bucket)["EventBridgeConfiguration"] == {}


def test_delete_markers_can_be_deleted(emulator: Any, bucket: str) -> None:
    # GIVEN
    s3 = emulator.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="image.png", Body=b"image")
    s3.delete_object(Bucket=bucket, Key="image.png")
    listed = s3.list_object_versions(Bucket=bucket)
    versions = [*listed["Versions"], *listed["DeleteMarkers"]]

    # WHEN
    objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in versions]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})

    # THEN
    assert len(versions) == 2
    assert not {"Versions", "DeleteMarkers"} & set(s3.list_object_versions(Bucket=bucket))


KEYS = ("a+b", "100%", "a%2Bb", "a b", "a&b<c>", "a'b\"c", "a\\b", "a?b#c", "a=b;c", "é", "画像", "a//b", "a/", "~")


def test_terraform_provider_can_empty_a_bucket_with_special_characters_in_keys(emulator: Any, bucket: str) -> None:
    # GIVEN each key as an object and as a delete marker
    s3 = emulator.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=f"photos/{key}", Body=b"image")
        s3.delete_object(Bucket=bucket, Key=f"photos/{key}")

    # WHEN all versions are listed page by page with URL-encoded keys, as the provider does, and are deleted
    found: list[Any] = []
    markers: dict[str, str] = {}
    while True:
        page = s3.list_object_versions(Bucket=bucket, EncodingType="url", Prefix="photos/", MaxKeys=7, **markers)
        found += [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if not page["IsTruncated"]:
            break
        markers = {
            "KeyMarker": unquote_plus(page["NextKeyMarker"]),
            "VersionIdMarker": page["NextVersionIdMarker"],
        }
    objects = [{"Key": unquote_plus(each["Key"]), "VersionId": each["VersionId"]} for each in found]
    errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects}).get("Errors")

    # THEN
    assert not errors
    assert len(objects) == 2 * len(KEYS)
    assert {each["Key"] for each in objects} == {f"photos/{key}" for key in KEYS}
    s3.delete_bucket(Bucket=bucket)


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2", "list_object_versions"])
def test_boto3_decodes_the_keys_of_a_listing(emulator: Any, bucket: str, operation: str) -> None:
    # GIVEN
    s3 = emulator.client("s3")
    s3.put_object(Bucket=bucket, Key="a+%2B/b %.png", Body=b"image")
    # WHEN boto3 lists the bucket, for which it always requests URL encoding
    found = getattr(s3, operation)(Bucket=bucket, Prefix="a+%2B/")
    folders = getattr(s3, operation)(Bucket=bucket, Delimiter="/")
    # THEN
    assert [each["Key"] for each in found.get("Contents") or found["Versions"]] == ["a+%2B/b %.png"]
    assert [each["Prefix"] for each in folders["CommonPrefixes"]] == ["a+%2B/"]


def test_redrive_policy_is_returned_without_whitespace(emulator: Any) -> None:
    # GIVEN
    sqs = emulator.client("sqs")
    dead = sqs.create_queue(QueueName=unique("dead"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["All"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 4})
    # WHEN
    url = sqs.create_queue(QueueName=unique("queue"), Attributes={"RedrivePolicy": policy})["QueueUrl"]
    # THEN
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["RedrivePolicy"]
    assert found == f'{{"deadLetterTargetArn":"{arn}","maxReceiveCount":4}}'


def test_tracing_configuration_of_a_function_is_kept_until_it_is_changed(emulator: Any) -> None:
    # GIVEN
    client = emulator.client("lambda")
    name = make_function(emulator, "", TracingConfig={"Mode": "Active"})
    # WHEN
    kept = client.update_function_configuration(FunctionName=name, Timeout=7)
    changed = client.update_function_configuration(FunctionName=name, TracingConfig={"Mode": "PassThrough"})
    # THEN
    assert (kept["TracingConfig"], changed["TracingConfig"]) == ({"Mode": "Active"}, {"Mode": "PassThrough"})


def test_dead_letter_queue_of_a_function_is_stored_and_removed(emulator: Any) -> None:
    # GIVEN
    client, target = emulator.client("lambda"), "arn:aws:sqs:us-east-1:123456789012:dead"
    name = make_function(emulator, "", DeadLetterConfig={"TargetArn": target})
    # WHEN
    before = client.get_function_configuration(FunctionName=name)
    client.update_function_configuration(FunctionName=name, DeadLetterConfig={"TargetArn": ""})
    after = client.get_function_configuration(FunctionName=name)
    # THEN
    assert before["DeadLetterConfig"] == {"TargetArn": target}
    assert "DeadLetterConfig" not in after


def test_event_source_mapping_returns_the_arn_of_its_alias(emulator: Any) -> None:
    # GIVEN
    client, sqs = emulator.client("lambda"), emulator.client("sqs")
    queue = sqs.create_queue(QueueName=unique("source"))["QueueUrl"]
    source = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]["QueueArn"]
    name = make_function(emulator, "", Publish=True)
    alias = client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")["AliasArn"]
    # WHEN
    mapping = client.create_event_source_mapping(EventSourceArn=source, FunctionName=alias)
    # THEN
    assert client.get_event_source_mapping(UUID=mapping["UUID"])["FunctionArn"] == alias


def new_target() -> dict[str, str]:
    """Return the parameters that identify a scalable target, the variant of an endpoint that does not exist yet."""
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{unique('endpoint')}/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }


def test_scalable_targets_can_be_tagged_and_untagged(emulator: Any) -> None:
    # GIVEN
    scaling = emulator.client("application-autoscaling")
    arn = scaling.register_scalable_target(**new_target(), MinCapacity=1, MaxCapacity=2, Tags={"a": "1", "b": "2"})[
        "ScalableTargetARN"
    ]
    # WHEN
    scaling.tag_resource(ResourceARN=arn, Tags={"c": "3"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["a"])
    # THEN
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"b": "2", "c": "3"}


def test_existing_scalable_target_can_be_updated_but_not_registered_with_tags(emulator: Any) -> None:
    # GIVEN
    scaling = emulator.client("application-autoscaling")
    target = new_target()
    arn = scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2, Tags={"a": "1"})["ScalableTargetARN"]
    # WHEN
    with pytest.raises(ClientError, match="The scalable target that you tried to tag already exists"):
        scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=4, Tags={"a": "2"})
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=3)
    # THEN
    (found,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[target["ResourceId"]])[
        "ScalableTargets"
    ]
    assert found["MaxCapacity"] == 3
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"a": "1"}


def test_deletion_of_a_missing_scalable_target_or_scaling_policy_is_refused(emulator: Any) -> None:
    scaling = emulator.client("application-autoscaling")
    target = new_target()
    with pytest.raises(scaling.exceptions.ObjectNotFoundException, match="No scalable target found"):
        scaling.deregister_scalable_target(**target)
    with pytest.raises(scaling.exceptions.ObjectNotFoundException, match="No scaling policy found"):
        scaling.delete_scaling_policy(**target, PolicyName="some-policy")


def test_budget_keeps_tags_and_subscribers_when_it_is_updated(emulator: Any) -> None:
    # GIVEN
    budgets, name, account = emulator.client("budgets"), unique("budget"), "123456789012"
    budget = {
        "BudgetName": name,
        "BudgetLimit": {"Amount": "10", "Unit": "USD"},
        "TimeUnit": "MONTHLY",
        "BudgetType": "COST",
    }
    notification = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80}
    subscriber = {"SubscriptionType": "EMAIL", "Address": "someone@example.com"}
    budgets.create_budget(
        AccountId=account,
        Budget=budget,
        NotificationsWithSubscribers=[{"Notification": notification, "Subscribers": [subscriber]}],
        ResourceTags=[{"Key": "a", "Value": "1"}],
    )
    # WHEN
    budgets.update_budget(AccountId=account, NewBudget={**budget, "BudgetLimit": {"Amount": "20", "Unit": "USD"}})
    # THEN
    arn = f"arn:aws:budgets::{account}:budget/{name}"
    found = budgets.describe_budget(AccountId=account, BudgetName=name)["Budget"]
    subscribers = budgets.describe_subscribers_for_notification(
        AccountId=account, BudgetName=name, Notification={**notification, "ThresholdType": "PERCENTAGE"}
    )["Subscribers"]
    assert found["BudgetLimit"]["Amount"] == "20"
    assert subscribers == [subscriber]
    assert budgets.list_tags_for_resource(ResourceARN=arn)["ResourceTags"] == [{"Key": "a", "Value": "1"}]


def test_policy_simulator_allows_every_action(emulator: Any) -> None:
    # WHEN
    response = emulator.client("iam").simulate_principal_policy(
        PolicySourceArn="arn:aws:iam::123456789012:role/any",
        ActionNames=["s3:GetObject", "logs:PutLogEvents"],
        ResourceArns=["*"],
    )
    # THEN
    decisions = {result["EvalActionName"]: result["EvalDecision"] for result in response["EvaluationResults"]}
    assert decisions == {"s3:GetObject": "allowed", "logs:PutLogEvents": "allowed"}


def test_composite_alarms_are_stored_with_tags_and_deleted(emulator: Any) -> None:
    # GIVEN
    cloudwatch, name = emulator.client("cloudwatch"), unique("alarm")
    # WHEN
    cloudwatch.put_composite_alarm(
        AlarmName=name, AlarmRule='ALARM("a") OR ALARM("b")', Tags=[{"Key": "a", "Value": "1"}]
    )
    # THEN
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert alarm["AlarmRule"] == 'ALARM("a") OR ALARM("b")'
    tags = cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
    assert tags == [{"Key": "a", "Value": "1"}]
    cloudwatch.delete_alarms(AlarmNames=[name])
    assert cloudwatch.describe_alarms(AlarmNames=[name])["CompositeAlarms"] == []


def test_aws_managed_policies_exist(emulator: Any) -> None:
    # WHEN
    policy = emulator.client("iam").get_policy(
        PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    )
    # THEN
    assert policy["Policy"]["PolicyName"] == "AWSLambdaBasicExecutionRole"


def test_security_group_rules_have_descriptions(emulator: Any) -> None:
    # GIVEN
    ec2 = emulator.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/24")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName=unique("group"), Description="some", VpcId=vpc)["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    sources = [
        {"UserIdGroupPairs": [{"GroupId": group, "Description": "of a group"}]},
        {"PrefixListIds": [{"PrefixListId": "pl-12345678", "Description": "of a list"}]},
        {"IpRanges": [{"CidrIp": "10.0.0.0/24", "Description": "of addresses"}]},
    ]
    # WHEN
    for source in sources:
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{**permission, **source}])
    # THEN
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    descriptions = {rule.get("Description") for rule in rules if not rule["IsEgress"]}
    assert descriptions == {"of a group", "of a list", "of addresses"}
