"""`make doctor` checks an account and the local tools before anything is created."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from common import aws
from common.errors import OperatorError
from deployment import doctor
from deployment.doctor import Account, Finding, check_all, instance_needs
from deployment.existing_resources import Imports
from deployment.settings import read_settings
from deployment.terraform import Plan

NUMBER = "123456789012"
IDENTITY = {"Account": NUMBER, "Arn": f"arn:aws:iam::{NUMBER}:user/operator"}
ENDPOINT = "ml.m5.xlarge for endpoint usage"
QUEUE, DASHBOARD = "module.a.aws_sqs_queue.this[0]", "module.b.aws_cloudwatch_dashboard.this"
DRIFT = "ml.m5.xlarge for processing job usage"
ENOUGH = dict.fromkeys(
    (ENDPOINT, "ml.m5.xlarge for training job usage", "ml.m5.xlarge for transform job usage", DRIFT), 2
)
# Error code of the not-found error of each operation
MISSING = {
    "list_subscriptions_by_topic": "NotFound",
}


class FakeAWS:
    """AWS clients of an account that passes every check.

    Parameters
    ----------
    known : for an operation, its response or its error instead of the default; None for a not-found error
    """

    def __init__(self, **known: Any) -> None:
        self.known = {
            "get_caller_identity": IDENTITY,
            "list_service_quotas": {"Quotas": [{"QuotaName": name, "Value": count} for name, count in ENOUGH.items()]},
            "list_cost_allocation_tags": {"CostAllocationTags": [{"TagKey": "Stack", "Status": "Active"}]},
            "list_subscriptions_by_topic": {"Subscriptions": [{"SubscriptionArn": "arn:1", "Endpoint": "a@b.c"}]},
            **known,
        }

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def request(**_: Any) -> Any:
            answer = self.known.get(operation)
            if isinstance(answer, dict):
                return answer
            if isinstance(answer, Exception):
                raise answer
            raise refusal(MISSING[operation], "not found")

        return request

    def get_paginator(self, operation: str) -> Any:
        return FakePages(getattr(self, operation))


class FakePages:
    """A paginator that sends its request when the first page is read."""

    def __init__(self, request: Callable[..., Any]) -> None:
        self.request = request

    def paginate(self, **parameters: Any) -> Iterator[Any]:
        yield self.request(**parameters)


class FakeTerraform:
    """Terraform whose `init` succeeds or fails."""

    def __init__(self, error: str = "") -> None:
        self.error = error

    def init(self) -> None:
        if self.error:
            raise OperatorError(self.error)


def refusal(code: str, message: str) -> ClientError:
    """Return an AWS error."""
    return ClientError({"Error": {"Code": code, "Message": message}}, "Request")


@pytest.fixture(scope="module")
def dev() -> dict[str, Any]:
    """The settings of `dev`."""
    return read_settings("dev")


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dev: dict[str, Any]) -> Callable[..., dict[str, Finding]]:
    """A function that checks an account, and returns the findings by check.

    The account passes every check, except for the differences in the function's arguments.
    """
    monkeypatch.setattr(doctor, "find_terraform", lambda: "terraform")
    monkeypatch.setattr(doctor, "version_of", lambda program: "1.11.4")
    monkeypatch.setattr(aws, "default_region", lambda: "us-east-1")

    def run(
        terraform: str = "",
        settings: dict[str, Any] | None = None,
        conflicting: dict[str, str] | None = None,
        refused: dict[str, str] | None = None,
        **known: Any,
    ) -> dict[str, Finding]:
        saved = Plan(tmp_path / "plan", changes=1, empty=False, summary="")
        saved.path.touch()
        imports = Imports(saved, content={}, own={}, conflicting=conflicting or {}, refused=refused or {})
        monkeypatch.setattr(doctor, "find_imports", lambda *_: imports)
        fake = FakeAWS(**known)
        account = Account("dev", {**dev, **(settings or {})}, lambda service: fake)
        found = list(check_all(account, FakeTerraform(terraform)))  # type: ignore[arg-type]
        by_check: dict[str, Finding] = {}
        for finding in found:  # for several quotas, keep the worst finding
            if by_check.get(finding.check, finding).status in ("ok", finding.status):
                by_check[finding.check] = finding
        return by_check

    return run


def test_correctly_configured_account_passes_every_check(check: Callable[..., dict[str, Finding]]) -> None:
    found = check()
    assert {finding.status for finding in found.values()} == {"ok"}, "\n".join(map(str, found.values()))
    assert list(found) == [
        *("Terraform", "credentials", "region", "quota", "notifications", "cost allocation tag", "names")
    ]


@pytest.mark.parametrize(
    ("changes", "name", "text"),
    [
        (
            {"terraform": "no provider"},
            "Terraform",
            "no provider. Allow access to the state and to registry.terraform.io",
        ),
        ({"get_caller_identity": NoCredentialsError()}, "credentials", "Unable to locate credentials. Run `aws conf"),
        ({"settings": {"endpoint_instance_count": 2}}, "quota", f"{ENDPOINT} is 2, and 4 are needed. Request 4 or"),
        (
            {
                "list_subscriptions_by_topic": {
                    "Subscriptions": [{"SubscriptionArn": "PendingConfirmation", "Endpoint": "a@b.c"}]
                }
            },
            "notifications",
            "a@b.c did not confirm the subscription of scones-dev-failures. Open the e-mail",
        ),
        (
            {"list_cost_allocation_tags": {"CostAllocationTags": [{"TagKey": "Stack", "Status": "Inactive"}]}},
            "cost allocation tag",
            "Stack is Inactive, so the budget counts nothing. Activate it in the",
        ),
        (
            {"conflicting": {QUEUE: "some-queue", DASHBOARD: "some"}},
            "names",
            f"taken: {QUEUE} (some-queue), {DASHBOARD} (some). Delete them, or, if they belong to dev, "
            f"add the tags of the environment's other resources (not to {DASHBOARD}, which cannot have tags)",
        ),
        ({"conflicting": {DASHBOARD: "some"}}, "names", f"taken: {DASHBOARD} (some). Delete or rename them: "),
        ({"refused": {QUEUE: "GetQueueUrl: not allowed"}}, "names", f"{QUEUE}: GetQueueUrl: not allowed"),
    ],
    ids=[
        *("provider", "credentials", "quota", "subscription", "cost tag"),
        *("names are taken", "names of resources without tags are taken", "names cannot be looked up"),
    ],
)
def test_failed_check_says_what_is_wrong_and_how_to_fix_it(
    check: Callable[..., dict[str, Finding]], changes: dict[str, Any], name: str, text: str
) -> None:
    # WHEN
    finding = check(**changes)[name]

    # THEN
    assert finding.status == "FAILED"
    assert str(finding).startswith(f"FAILED    {name}: {text}")


@pytest.mark.parametrize(
    ("changes", "name", "text"),
    [
        (
            {"settings": {"region": "eu-west-1"}},
            "region",
            "the settings have eu-west-1, but the default region (from AWS_REGION or the profile) is us-east-1",
        ),
        ({"list_subscriptions_by_topic": None}, "notifications", "nobody receives alarms"),
        (
            {"list_subscriptions_by_topic": {"Subscriptions": [{"SubscriptionArn": "Deleted", "Endpoint": "a@b.c"}]}},
            "notifications",
            "nobody receives alarms",
        ),
        (
            {"list_subscriptions_by_topic": None, "settings": {"failure_email": "a@b.c"}},
            "notifications",
            "`make up ENV=dev` will subscribe a@b.c",
        ),
        (
            {"list_cost_allocation_tags": {"CostAllocationTags": []}},
            "cost allocation tag",
            "AWS Billing does not list Stack yet",
        ),
    ],
    ids=["region", "no subscription", "deleted subscription", "subscription after up", "cost tag"],
)
def test_condition_that_does_not_prevent_a_deployment_is_a_warning(
    check: Callable[..., dict[str, Finding]], changes: dict[str, Any], name: str, text: str
) -> None:
    finding = check(**changes)[name]
    assert (finding.status, finding.text.startswith(text)) == ("warning", True), str(finding)


def test_check_whose_request_is_refused_has_the_status_no_answer_and_other_checks_still_run(
    check: Callable[..., dict[str, Finding]],
) -> None:
    # WHEN
    found = check(list_service_quotas=refusal("AccessDeniedException", "User is not authorized."))

    # THEN
    assert str(found["quotas"]) == "no answer quotas: User is not authorized"
    assert found["names"].status == "ok"


def test_only_terraform_and_credentials_are_checked_without_credentials(
    check: Callable[..., dict[str, Finding]],
) -> None:
    assert list(check(get_caller_identity=NoCredentialsError())) == ["Terraform", "credentials"]


def test_check_of_the_names_deletes_its_plan(check: Callable[..., dict[str, Finding]], tmp_path: Path) -> None:
    check()
    assert not (tmp_path / "plan").exists()


def test_endpoint_with_scaling_needs_twice_its_maximum_instance_count(dev: dict[str, Any]) -> None:
    # during an update, the new instances run in addition to the same number of old instances
    assert instance_needs({**dev, "endpoint_max_instance_count": 4})[ENDPOINT] == 8


def test_serverless_endpoint_needs_no_quota_for_endpoint_instances(dev: dict[str, Any]) -> None:
    serverless = {"serverless": {"max_concurrency": 5}, "capture_percentage": 0}
    needs = instance_needs({**dev, **serverless, "training_spot": True})
    assert list(needs) == ["ml.m5.xlarge for spot training job usage", "ml.m5.xlarge for transform job usage"]


@pytest.mark.parametrize(
    ("changes", "expected"), [({}, 1), ({"drift_schedule": None}, None), ({"capture_percentage": 0}, None)]
)
def test_scheduled_drift_jobs_need_a_processing_instance(
    dev: dict[str, Any], changes: dict[str, Any], expected: int | None
) -> None:
    assert instance_needs({**dev, **changes}).get(DRIFT) == expected


def test_missing_processing_instance_is_reported_with_the_setting_that_needs_it(
    check: Callable[..., dict[str, Finding]],
) -> None:
    # WHEN
    found = [{"QuotaName": name, "Value": 0 if name == DRIFT else count} for name, count in ENOUGH.items()]
    finding = check(list_service_quotas={"Quotas": found})["quota"]

    # THEN
    assert finding.text == f"{DRIFT} is 0, and 1 are needed"
    assert finding.fix.endswith("or set drift_schedule = null")
