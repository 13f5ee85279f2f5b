"""The endpoint's time to live: Terraform's schedule ends it for real, and the next apply brings both back."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sagelocal.core.environment import pointing_at

from deployment.endpoint_lifetime import SCHEDULE_FORMAT, EndpointLifetime
from deployment.terraform import Terraform
from emulator.tests.contract.sagemaker_parts import (
    SageMaker,
    make_sagemaker,  # noqa: F401 (the fixture `sagemaker`)
)
from emulator.tests.contract.waiting import eventually
from tests.unit.stacks import make_stack

ROOT = Path(__file__).resolve().parents[2]
STACK = make_stack(endpoint_name="guarded", endpoint_schedule="scones-guarded-endpoint-expiry")
CONFIGURATION = """
variable "config" {
  type = string
}

provider "aws" {
  region                  = "us-east-1"
  max_retries             = 5
  skip_metadata_api_check = true
}

resource "aws_sagemaker_endpoint" "this" {
  name                 = "guarded"
  endpoint_config_name = var.config
}

module "cost_control" {
  source = "./modules/cost_control"

  prefix         = "scones-guarded"
  partition      = "aws"
  endpoint_name  = "guarded"
  endpoint_arn   = aws_sagemaker_endpoint.this.arn
  variant_name   = "v1"
  endpoint_hours = 8
  idle_hours     = 3
  instance_based = true
  budget_usd     = 50
  topic_arn      = "arn:aws:sns:us-east-1:123456789012:some-topic"

  permissions_boundary = null
}
"""


@pytest.fixture
def terraform(emulator: Any, sagemaker: SageMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terraform:
    """An endpoint and its guard, not applied yet."""
    for name, value in pointing_at(emulator.url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    directory = tmp_path / "terraform"
    shutil.copytree(ROOT / "terraform/modules", directory / "modules")
    shutil.copy2(ROOT / "terraform/.terraform.lock.hcl", directory)
    (directory / "main.tf").write_text(CONFIGURATION)
    (directory / "environments").mkdir()
    config = sagemaker.make_config({"v1": (sagemaker.make_model("first"), 1)})
    (directory / "environments" / "dev.tfvars").write_text(f'config = "{config}"\n')
    return Terraform("dev", logs=tmp_path / "build", directory=directory)


def lifetime(scheduler: Any) -> EndpointLifetime:
    return EndpointLifetime(STACK.endpoint_name, STACK.endpoint_schedule, scheduler=scheduler)


def hours_left(scheduler: Any) -> float:
    ends = lifetime(scheduler).end()
    assert ends is not None
    return (ends - datetime.now(UTC)).total_seconds() / 3600


def is_gone(sagemaker: Any) -> Callable[[], bool]:
    def look() -> bool:
        try:
            sagemaker.describe_endpoint(EndpointName=STACK.endpoint_name)
        except ClientError:
            return True
        return False

    return look


def test_an_endpoint_is_ended_in_its_time_and_brought_back_by_the_next_apply(
    emulator: Any, terraform: Terraform
) -> None:
    # WHEN
    scheduler, sagemaker = emulator.client("scheduler"), emulator.client("sagemaker")
    terraform.apply(terraform.plan())

    # THEN it has its hours, and they are no drift
    assert 7.9 < hours_left(scheduler) < 8
    assert terraform.plan().empty

    # WHEN it is prolonged, THEN that is no drift either
    lifetime(scheduler).extend(4)
    assert 11.9 < hours_left(scheduler) < 12
    assert terraform.plan().empty

    # WHEN its time is over
    soon = datetime.now(UTC) + timedelta(seconds=2)
    schedule = scheduler.get_schedule(Name=STACK.endpoint_schedule)
    scheduler.update_schedule(
        Name=schedule["Name"],
        ScheduleExpression=soon.strftime(SCHEDULE_FORMAT),
        FlexibleTimeWindow=schedule["FlexibleTimeWindow"],
        Target=schedule["Target"],
    )

    # THEN it is gone
    assert eventually(is_gone(sagemaker))

    # WHEN
    terraform.apply(terraform.plan())

    # THEN it is back, with all its hours
    assert sagemaker.describe_endpoint(EndpointName=STACK.endpoint_name)["EndpointStatus"] == "InService"
    assert 7.9 < hours_left(scheduler) < 8
    assert terraform.plan().empty
    terraform.apply(terraform.plan(destroy=True))
