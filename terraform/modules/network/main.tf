# The VPC has no internet gateway and no NAT, so workloads reach only each other and the services that have a VPC
# endpoint.
locals {
  # The VPC endpoint of SageMaker Runtime is not available in every availability zone
  usable_zones = sort(setintersection(data.aws_availability_zones.this.names, data.aws_vpc_endpoint_service.inference.availability_zones))

  partition  = data.aws_partition.this.partition
  account_id = data.aws_caller_identity.this.account_id
  region     = data.aws_region.this.name
}

data "aws_partition" "this" {}

data "aws_region" "this" {}

data "aws_caller_identity" "this" {}

data "aws_availability_zones" "this" {
  #checkov:skip=CKV_AWS_394:the zones are chosen only once, when the VPC is created
  state = "available"

  # excludes Local Zones and Wavelength Zones, in which neither functions nor VPC endpoints can run
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_vpc_endpoint_service" "inference" {
  service = "sagemaker.runtime"

  lifecycle {
    postcondition {
      condition     = length(setintersection(data.aws_availability_zones.this.names, self.availability_zones)) > 0
      error_message = "No availability zone of ${local.region} has SageMaker Runtime's VPC endpoint. Leave vpc_cidr unset, or set another region."
    }
  }
}

resource "aws_vpc" "this" {
  #checkov:skip=CKV2_AWS_12:no workload is a member of the default security group, and its rules apply only to members
  cidr_block           = var.cidr_block
  enable_dns_support   = true
  enable_dns_hostnames = true # required for private DNS, which resolves service hostnames to the VPC endpoints

  tags = { Name = var.prefix }
}

# The zones of the subnets, which are chosen when the VPC is created. Later changes of the usable zones must not add,
# replace or delete a subnet: a second subnet could be in the zone of the first one, which an interface endpoint rejects.
resource "terraform_data" "zones" {
  # AWS recommends at least two zones: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
  input = slice(local.usable_zones, 0, min(2, length(local.usable_zones)))

  lifecycle {
    ignore_changes = [input]
  }
}

resource "aws_subnet" "this" {
  count = length(terraform_data.zones.input)

  vpc_id            = aws_vpc.this.id
  cidr_block        = cidrsubnet(var.cidr_block, 1, count.index)
  availability_zone = terraform_data.zones.input[count.index]

  tags = { Name = "${var.prefix}-${count.index + 1}" }
}

resource "aws_route_table" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = var.prefix }
}

resource "aws_route_table_association" "this" {
  count = length(aws_subnet.this)

  subnet_id      = aws_subnet.this[count.index].id
  route_table_id = aws_route_table.this.id
}

resource "aws_security_group" "workloads" {
  #checkov:skip=CKV2_AWS_5:the modules of functions, jobs and models attach it
  name        = "${var.prefix}-workloads"
  description = "Functions, jobs and models"
  vpc_id      = aws_vpc.this.id
}

# The hosts of a distributed job communicate over IPsec. Its ESP protocol has no ports, so the rules allow all
# protocols:
# https://docs.aws.amazon.com/sagemaker/latest/dg/train-encrypt.html
resource "aws_vpc_security_group_ingress_rule" "between_workloads" {
  description                  = "Between the hosts of a job"
  security_group_id            = aws_security_group.workloads.id
  referenced_security_group_id = aws_security_group.workloads.id
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_egress_rule" "between_workloads" {
  description                  = "Between the hosts of a job"
  security_group_id            = aws_security_group.workloads.id
  referenced_security_group_id = aws_security_group.workloads.id
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_egress_rule" "storage" {
  description       = "To S3 through its gateway endpoint"
  security_group_id = aws_security_group.workloads.id
  prefix_list_id    = aws_vpc_endpoint.storage.prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "inference" {
  description                  = "To the VPC endpoints of SageMaker Runtime, CloudWatch and SNS"
  security_group_id            = aws_security_group.workloads.id
  referenced_security_group_id = aws_security_group.inference.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_security_group" "inference" {
  name        = "${var.prefix}-inference"
  description = "VPC endpoint of SageMaker Runtime"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "inference" {
  description                  = "From functions, jobs and models"
  security_group_id            = aws_security_group.inference.id
  referenced_security_group_id = aws_security_group.workloads.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

data "aws_iam_policy_document" "storage" {
  statement {
    actions   = ["s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:PutObject"]
    resources = [var.bucket_arn, "${var.bucket_arn}/*"]

    # in the policy of a gateway endpoint, an account's ARN matches only the root user, so a condition selects the
    # account:
    # https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalAccount"
      values   = [local.account_id]
    }
  }
}

resource "aws_vpc_endpoint" "storage" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${local.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.this.id]
  policy            = data.aws_iam_policy_document.storage.json

  tags = { Name = "${var.prefix}-storage" }
}

data "aws_iam_policy_document" "inference" {
  statement {
    actions   = ["sagemaker:InvokeEndpoint"]
    resources = [var.endpoint_arn]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account_id}:root"]
    }
  }
}

resource "aws_vpc_endpoint" "inference" {
  vpc_id              = aws_vpc.this.id
  service_name        = data.aws_vpc_endpoint_service.inference.service_name
  vpc_endpoint_type   = "Interface"
  subnet_ids          = aws_subnet.this[*].id
  security_group_ids  = [aws_security_group.inference.id]
  private_dns_enabled = true
  policy              = data.aws_iam_policy_document.inference.json

  tags = { Name = "${var.prefix}-inference" }
}

# The drift job publishes metrics to CloudWatch and messages to SNS. The VPC endpoints of both services have the same
# security group as the VPC endpoint of SageMaker Runtime.
data "aws_iam_policy_document" "reports" {
  count = var.reports_drift ? 1 : 0

  dynamic "statement" {
    for_each = {
      "cloudwatch:PutMetricData" = "*" # supports no resource ARN
      "sns:Publish"              = "arn:${local.partition}:sns:${local.region}:${local.account_id}:${var.prefix}-*"
    }

    content {
      actions   = [statement.key]
      resources = [statement.value]

      principals {
        type        = "AWS"
        identifiers = ["arn:${local.partition}:iam::${local.account_id}:root"]
      }
    }
  }
}

resource "aws_vpc_endpoint" "reports" {
  for_each = toset(var.reports_drift ? ["monitoring", "sns"] : [])

  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = aws_subnet.this[*].id
  security_group_ids  = [aws_security_group.inference.id]
  private_dns_enabled = true
  policy              = data.aws_iam_policy_document.reports[0].json

  tags = { Name = "${var.prefix}-${each.key}" }
}

# The flow log of rejected connections shows which workload tried to reach a destination that the rules do not allow
resource "aws_flow_log" "this" {
  vpc_id                   = aws_vpc.this.id
  traffic_type             = "REJECT"
  log_destination          = aws_cloudwatch_log_group.this.arn
  iam_role_arn             = aws_iam_role.this.arn
  max_aggregation_interval = 600

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:log_retention_days is set per environment; one year in production
  name              = "/aws/vpc/${var.prefix}-rejected"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

# https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
data "aws_iam_policy_document" "this" {
  statement {
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = [aws_cloudwatch_log_group.this.arn, "${aws_cloudwatch_log_group.this.arn}:*"]
  }

  statement {
    actions = ["logs:DescribeLogGroups"]
    # DescribeLogGroups supports no resource ARN
    resources = ["*"]
  }
}

resource "aws_iam_role" "this" {
  name                 = "${var.prefix}-network"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "this" {
  name   = "flow-logs"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}
