"""The content of a plan: the changes of resources, and the model that the plan deploys."""

from datetime import UTC, datetime
from typing import Any

import pytest

from deployment.plan_content import check_model_classes, deployed_model_package, list_changes
from registry.trained_classes import ClassesDifferError
from staging.manifest import digest_classes

ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/scones-dev-vehicles/3"


def change(address: str, *actions: str) -> dict[str, Any]:
    """Return the change of a resource in a plan."""
    return {"address": address, "change": {"actions": list(actions)}}


def make_plan(model: str | None, classes: list[str]) -> dict[str, Any]:
    """Return the content of a plan that deploys a model package, or no model, for these classes."""
    container = {"model_package_name": model}
    resource = {"type": "aws_sagemaker_model", "values": {"primary_container": [container]}}
    modules = [{"resources": [resource]}] if model else []
    return {
        "variables": {"region": {"value": "eu-west-1"}, "classes": {"value": classes}, "failure_email": {}},
        "planned_values": {"root_module": {"resources": [], "child_modules": modules}},
    }


class FakeSageMaker:
    """A SageMaker client with a model package that was trained on bicycles and motorcycles."""

    def describe_model_package(self, **request: str) -> dict[str, Any]:
        assert request == {"ModelPackageName": ARN}
        trained = ("bicycle", "motorcycle")
        return {
            "ModelApprovalStatus": "Approved",
            "CreationTime": datetime.now(UTC),
            "CustomerMetadataProperties": {"classes": " ".join(trained), "classes_md5": digest_classes(trained)},
            "InferenceSpecification": {"Containers": [{"Image": "image", "ModelDataUrl": "s3://bucket/model.tar.gz"}]},
        }


def make_client(service: str, region: str) -> FakeSageMaker:
    """Return the SageMaker client, and check that the plan's region is used."""
    assert (service, region) == ("sagemaker", "eu-west-1")
    return FakeSageMaker()


def test_changes_are_listed_in_order_of_action_and_address() -> None:
    # GIVEN
    plan = {
        "resource_changes": [
            change("aws_b.this", "delete"),
            change("aws_d.this", "no-op"),
            change("aws_c.this", "create"),
            change("data.aws_e.this", "read"),
            change("aws_a.this", "create"),
            change("aws_f.this", "delete", "create"),
            change("aws_g.this", "update"),
            {"address": "aws_h.this", "change": {"actions": ["no-op"], "importing": {"id": "h"}}},
            {"address": "aws_i.this", "change": {"actions": ["delete", "create"], "importing": {"id": "i"}}},
            {"address": "aws_j.this", "change": {"actions": ["update"], "importing": {"id": "j"}}},
        ]
    }

    # WHEN / THEN
    assert list(list_changes(plan)) == [
        "  import   aws_h.this",
        "  create   aws_a.this",
        "  create   aws_c.this",
        "  update   aws_g.this",
        "  update   aws_j.this (imported first)",
        "  replace  aws_f.this",
        "  replace  aws_i.this (imported first)",
        "  destroy  aws_b.this",
    ]


def test_plan_without_a_model_passes_the_check_of_the_classes() -> None:
    plan = make_plan(None, ["bus", "tractor"])

    assert deployed_model_package(plan) is None
    check_model_classes("dev", plan, make_client)


def test_plan_with_a_model_that_was_trained_on_other_classes_is_refused() -> None:
    check_model_classes("dev", make_plan(ARN, ["bicycle", "motorcycle"]), make_client)

    expected = (
        "v3 was trained on the classes bicycle, motorcycle, but terraform/environments/dev.tfvars has bus, tractor"
    )
    with pytest.raises(ClassesDifferError, match=f"{expected}: run `make stage train ENV=dev`"):
        check_model_classes("dev", make_plan(ARN, ["bus", "tractor"]), make_client)
