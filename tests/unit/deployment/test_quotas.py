"""Instance quotas are read from Service Quotas."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from deployment.quotas import instance_quota, quotas

ENDPOINT, TRAINING = "ml.m5.xlarge for endpoint usage", "ml.g5.xlarge for training job usage"


class FakeServiceQuotas:
    """A Service Quotas client.

    Parameters
    ----------
    applied, defaults : pages of applied quotas and of AWS's default quotas; a quota whose value is None has an
        ErrorReason and no Value
    refusal : error code with which requests fail; by default, they succeed
    """

    def __init__(
        self, applied: list[dict[str, float | None]], defaults: list[dict[str, float | None]], refusal: str = ""
    ) -> None:
        self.pages = {"list_service_quotas": applied, "list_aws_default_service_quotas": defaults}
        self.refusal = refusal
        self.read = 0
        self.operation = ""

    def get_paginator(self, operation: str) -> "FakeServiceQuotas":
        self.operation = operation
        return self

    def paginate(self, **request: str) -> Any:
        assert request == {"ServiceCode": "sagemaker"}
        if self.refusal:
            raise ClientError({"Error": {"Code": self.refusal, "Message": "no"}}, self.operation)
        for page in self.pages[self.operation]:
            self.read += 1
            quotas = [
                {"QuotaName": name, **({"ErrorReason": {}} if value is None else {"Value": value})}
                for name, value in page.items()
            ]
            yield {"Quotas": quotas}


def test_applied_quota_takes_precedence_over_the_default() -> None:
    # GIVEN
    client = FakeServiceQuotas([{ENDPOINT: 4.0}], [{ENDPOINT: 2.0, TRAINING: 0.0}])

    # THEN
    assert instance_quota("ml.m5.xlarge", "endpoint usage", client) == 4
    assert instance_quota("ml.g5.xlarge", "training job usage", client) == 0


def test_quota_that_service_quotas_cannot_read_is_skipped() -> None:
    # GIVEN applied quotas without a value
    client = FakeServiceQuotas([{"other": None, TRAINING: None, ENDPOINT: 4.0}], [{TRAINING: 1.0}])

    # THEN
    assert quotas([ENDPOINT, TRAINING], client) == {ENDPOINT: 4, TRAINING: 1}


def test_no_further_page_is_read_once_all_quotas_are_found() -> None:
    # GIVEN
    client = FakeServiceQuotas([{ENDPOINT: 4.0}, {TRAINING: 1.0}, {"other": 1.0}], [{}])

    # WHEN
    found = quotas([ENDPOINT, TRAINING], client)

    # THEN
    assert found == {ENDPOINT: 4, TRAINING: 1}
    assert client.read == 2


@pytest.mark.parametrize("code", ["AccessDeniedException", "NotImplemented"])
def test_quota_is_none_if_it_cannot_be_read(code: str) -> None:
    assert instance_quota("ml.m5.xlarge", "endpoint usage", FakeServiceQuotas([], [], code)) is None


def test_quota_of_an_unknown_instance_type_is_none() -> None:
    assert instance_quota("ml.m9.xlarge", "endpoint usage", FakeServiceQuotas([{ENDPOINT: 4.0}], [{}])) is None
