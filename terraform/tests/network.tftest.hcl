# A VPC from which nothing but S3 and inference can be reached.

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

run "two_zones_share_the_addresses" {
  module {
    source = "./modules/network"
  }

  assert {
    condition     = [for subnet in aws_subnet.this : subnet.cidr_block] == ["10.0.0.0/25", "10.0.0.128/25"]
    error_message = "Each of the two subnets must have half of the addresses."
  }

  assert {
    condition     = length(distinct(aws_subnet.this[*].availability_zone)) == 2
    error_message = "Each subnet must have a zone of its own."
  }

  assert {
    condition     = length(output.subnet_ids) == 2 && length(output.security_group_ids) == 1
    error_message = "What runs here must be told where."
  }
}

run "only_named_services_can_be_reached" {
  module {
    source = "./modules/network"
  }

  assert {
    condition     = aws_vpc_endpoint.storage.vpc_endpoint_type == "Gateway" && aws_vpc_endpoint.storage.service_name == "com.amazonaws.us-east-1.s3"
    error_message = "S3 must be reached through a gateway."
  }

  assert {
    condition = (
      one(one(data.aws_iam_policy_document.storage.statement).principals).identifiers == toset(["*"]) &&
      one(one(data.aws_iam_policy_document.storage.statement).condition).variable == "aws:PrincipalAccount"
    )
    error_message = "All of this account must pass the gateway, which takes the account's ARN for its root user, and nobody else."
  }

  assert {
    condition     = aws_vpc_endpoint.inference.private_dns_enabled && aws_vpc_endpoint.inference.service_name == "com.amazonaws.us-east-1.sagemaker.runtime"
    error_message = "Inference must be reached under its own name."
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.storage.cidr_ipv4 == null && aws_vpc_security_group_egress_rule.inference.cidr_ipv4 == null
    error_message = "No range of addresses may be reached."
  }

  assert {
    condition     = aws_flow_log.this.traffic_type == "REJECT"
    error_message = "What was refused must be logged."
  }
}

run "inputs_of_another_form_are_refused" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    prefix     = "Scones_Test"
    cidr_block = "10.0.0.0/8"
    bucket_arn = "some-bucket"
  }

  expect_failures = [var.prefix, var.cidr_block, var.bucket_arn]
}
