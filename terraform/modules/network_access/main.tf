locals {
  ec2        = "arn:${data.aws_partition.this.partition}:ec2:${data.aws_region.this.name}:${data.aws_caller_identity.this.account_id}"
  interfaces = "${local.ec2}:network-interface/*"
}

data "aws_partition" "this" {}

data "aws_region" "this" {}

data "aws_caller_identity" "this" {}

# What Lambda does in a function's name: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
data "aws_iam_policy_document" "functions" {
  source_policy_documents = [data.aws_iam_policy_document.interfaces.json]

  statement {
    sid = "LookAtNetwork"
    actions = [
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
    ]
    # looking has no resource to name
    resources = ["*"]
  }

  statement {
    sid       = "KeepAddresses"
    actions   = ["ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]
    resources = [local.interfaces]
  }
}

# What SageMaker does in a container's name: https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
data "aws_iam_policy_document" "containers" {
  source_policy_documents = [data.aws_iam_policy_document.interfaces.json]

  statement {
    sid = "LookAtNetwork"
    actions = [
      "ec2:DescribeDhcpOptions",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets",
      "ec2:DescribeVpcs",
    ]
    # looking has no resource to name
    resources = ["*"]
  }

  statement {
    sid       = "LendInterfaces"
    actions   = ["ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterfacePermission"]
    resources = [local.interfaces]
  }
}

# An interface has no name before it is made; where it may be made has
data "aws_iam_policy_document" "interfaces" {
  statement {
    sid     = "MakeInterfacesHere"
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
    resources = [local.interfaces]
  }
}
