# A VPC from which only S3 and SageMaker Runtime are reachable and, for drift jobs, CloudWatch and SNS.

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

run "subnets_in_two_zones_reach_only_s3_and_sagemaker_runtime" {
  module {
    source = "./modules/network"
  }

  assert {
    condition     = [for subnet in aws_subnet.this : subnet.cidr_block] == ["10.0.0.0/25", "10.0.0.128/25"]
    error_message = "Each of the two subnets must have half of the CIDR block."
  }

  assert {
    condition     = length(distinct(aws_subnet.this[*].availability_zone)) == 2
    error_message = "The subnets must be in different availability zones."
  }

  assert {
    condition     = length(output.subnet_ids) == 2 && length(output.security_group_ids) == 1
    error_message = "The outputs must have both subnets and the security group of the workloads."
  }

  assert {
    condition     = aws_vpc_endpoint.storage.vpc_endpoint_type == "Gateway" && aws_vpc_endpoint.storage.service_name == "com.amazonaws.us-east-1.s3"
    error_message = "S3 must be reachable through a gateway endpoint."
  }

  assert {
    condition = (
      one(one(data.aws_iam_policy_document.storage.statement).principals).identifiers == toset(["*"]) &&
      one(one(data.aws_iam_policy_document.storage.statement).condition).variable == "aws:PrincipalAccount"
    )
    error_message = "The gateway endpoint must allow every principal of this account, and no principal of another account."
  }

  assert {
    condition     = aws_vpc_endpoint.inference.private_dns_enabled && aws_vpc_endpoint.inference.service_name == "com.amazonaws.us-east-1.sagemaker.runtime"
    error_message = "SageMaker Runtime must be reachable at its standard hostname."
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.storage.cidr_ipv4 == null && aws_vpc_security_group_egress_rule.inference.cidr_ipv4 == null
    error_message = "No egress rule may name an IP address range."
  }

  assert {
    condition     = aws_flow_log.this.traffic_type == "REJECT"
    error_message = "Rejected connections must be logged."
  }

  # https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
  assert {
    condition = toset(flatten(data.aws_iam_policy_document.this.statement[*].actions)) == toset([
      "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:PutLogEvents",
    ])
    error_message = "The flow log's role must have the permissions that AWS documents."
  }

  assert {
    condition     = one(data.aws_availability_zones.this.filter).name == "opt-in-status"
    error_message = "Local Zones must be excluded, because neither functions nor VPC endpoints can run there."
  }
}

run "zone_that_becomes_unavailable_deletes_no_subnet" {
  command = plan

  module {
    source = "./modules/network"
  }

  override_data {
    target = data.aws_availability_zones.this
    values = { names = ["us-east-1b", "us-east-1c"] }
  }

  override_data {
    target = data.aws_vpc_endpoint_service.inference
    values = { availability_zones = ["us-east-1b"] }
  }

  assert {
    condition     = aws_subnet.this[*].availability_zone == ["us-east-1a", "us-east-1b"]
    error_message = "Both subnets must stay in their zones."
  }
}

run "region_without_the_vpc_endpoint_service_is_rejected" {
  command = plan

  module {
    source = "./modules/network"
  }

  override_data {
    target = data.aws_vpc_endpoint_service.inference
    values = { availability_zones = [] }
  }

  expect_failures = [data.aws_vpc_endpoint_service.inference]
}

run "invalid_variables_are_rejected" {
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

run "drift_jobs_reach_cloudwatch_and_sns" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    reports_drift = true
  }

  assert {
    condition     = toset([for endpoint in aws_vpc_endpoint.reports : endpoint.service_name]) == toset(["com.amazonaws.us-east-1.monitoring", "com.amazonaws.us-east-1.sns"])
    error_message = "Drift jobs must reach CloudWatch and SNS."
  }
}
