locals {
  ec2        = "arn:${data.aws_partition.this.partition}:ec2:${data.aws_region.this.name}:${data.aws_caller_identity.this.account_id}"
  interfaces = "${local.ec2}:network-interface/*"

  # Lambda checks the role before a network interface exists, and rejects a role whose policy names a narrower resource:
  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
  # SageMaker does not document which resource it checks, so the policy of jobs and models uses the same resource.
  any_resource = "${local.ec2}:*/*"
}

data "aws_partition" "this" {}

data "aws_region" "this" {}

data "aws_caller_identity" "this" {}

# Permissions that Lambda needs in a function's role: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
data "aws_iam_policy_document" "functions" {
  source_policy_documents = [data.aws_iam_policy_document.interfaces.json]

  statement {
    sid = "DescribeNetwork"
    actions = [
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
    ]
    # Describe actions support no resource ARN
    resources = ["*"]
  }

  statement {
    sid       = "AssignPrivateAddresses"
    actions   = ["ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]
    resources = [local.any_resource]
  }
}

# Permissions that SageMaker needs in the role of a job or model: https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
data "aws_iam_policy_document" "containers" {
  source_policy_documents = [data.aws_iam_policy_document.interfaces.json]

  statement {
    sid = "DescribeNetwork"
    actions = [
      "ec2:DescribeDhcpOptions",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets",
      "ec2:DescribeVpcs",
    ]
    # Describe actions support no resource ARN
    resources = ["*"]
  }

  statement {
    sid       = "ManageInterfacePermissions"
    actions   = ["ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterfacePermission"]
    resources = [local.any_resource]
  }
}

# A new network interface has no predictable ARN, so its subnet and security groups restrict where it can be created
data "aws_iam_policy_document" "interfaces" {
  statement {
    sid     = "CreateInterfaces"
    actions = ["ec2:CreateNetworkInterface"]
    resources = concat(
      [for id in var.subnet_ids : "${local.ec2}:subnet/${id}"],
      [for id in var.security_group_ids : "${local.ec2}:security-group/${id}"],
      [local.interfaces],
    )
  }

  statement {
    sid       = "DeleteInterfaces"
    actions   = ["ec2:DeleteNetworkInterface"]
    resources = [local.any_resource]
  }
}
