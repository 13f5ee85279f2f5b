# The availability zones of the subnets: which zones are chosen, and that later changes of the zones change no subnet.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix               = "scones-test"
  cidr_block           = "10.0.0.0/24"
  bucket_arn           = "arn:aws:s3:::some-bucket"
  endpoint_arn         = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/some-endpoint"
  kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/some-key"
  log_retention_days   = 30
  permissions_boundary = null
}

run "subnets_are_in_zones_that_have_the_vpc_endpoint_service" {
  module {
    source = "./modules/network"
  }

  override_data {
    target = data.aws_vpc_endpoint_service.inference
    values = { availability_zones = ["us-east-1b", "us-east-1d"] }
  }

  assert {
    condition     = aws_subnet.this[*].availability_zone == ["us-east-1b"]
    error_message = "The only zone that has the VPC endpoint service must have the only subnet."
  }
}

run "zone_that_becomes_usable_later_changes_no_subnet" {
  module {
    source = "./modules/network"
  }

  override_data {
    target = data.aws_vpc_endpoint_service.inference
    values = { availability_zones = ["us-east-1a", "us-east-1b"] }
  }

  assert {
    condition     = aws_subnet.this[*].availability_zone == ["us-east-1b"]
    error_message = "The subnet must stay in its zone, and no second subnet may be added to the same zone."
  }
}
