locals {
  network = [
    for kind in ["route-table", "security-group", "security-group-rule", "subnet", "vpc", "vpc-endpoint", "vpc-flow-log"] :
    "${local.arn_prefix}:ec2:*:${local.account_id}:${kind}/*"
  ]
}

# A VPC has no predictable ARN, so its tags select it. Apply this module again after an environment has created its VPC.
data "aws_vpcs" "this" {
  for_each = var.environments

  tags = { Project = "scones", Environment = each.key }
}

# Permissions of an environment's deployment role for the VPC
data "aws_iam_policy_document" "deploy_network" {
  for_each = var.environments

  # ARNs of VPC resources do not contain the environment's name, so the tag `Environment` selects them. The request that
  # creates a resource must set the tag:
  # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
  statement {
    sid = "CreateNetwork"
    actions = [
      "ec2:AuthorizeSecurityGroup*",
      "ec2:CreateFlowLogs",
      "ec2:CreateRouteTable",
      "ec2:CreateSecurityGroup",
      "ec2:CreateSubnet",
      "ec2:CreateTags",
      "ec2:CreateVpc",
      "ec2:CreateVpcEndpoint",
    ]
    resources = local.network

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/Environment"
      values   = [each.key]
    }

    condition {
      test     = "StringEqualsIfExists"
      variable = "aws:ResourceTag/Environment"
      values   = [each.key]
    }
  }

  # Terraform sends only the tags that have changed. A request for an existing resource may therefore lack the tag
  # `Environment`, but must not change it.
  statement {
    sid = "ManageNetwork"
    actions = [
      "ec2:AssociateRouteTable",
      "ec2:AuthorizeSecurityGroup*",
      "ec2:CreateFlowLogs",
      "ec2:CreateRouteTable",
      "ec2:CreateSecurityGroup",
      "ec2:CreateSubnet",
      "ec2:CreateTags",
      "ec2:CreateVpc",
      "ec2:CreateVpcEndpoint",
      "ec2:Delete*",
      "ec2:DisassociateRouteTable",
      "ec2:Modify*",
      "ec2:RevokeSecurityGroup*",
    ]
    resources = local.network

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/Environment"
      values   = [each.key]
    }

    condition {
      test     = "StringEqualsIfExists"
      variable = "aws:RequestTag/Environment"
      values   = [each.key]
    }
  }

  # The private DNS names of a VPC endpoint are in a hosted zone that AWS owns. EC2 uses the caller's permissions to
  # associate the VPC with this zone:
  # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html#amazonec2-CreateVpcEndpoint
  statement {
    sid       = "AssociatePrivateNames"
    actions   = ["route53:AssociateVPCWithHostedZone"]
    resources = ["${local.arn_prefix}:route53:::hostedzone/*"]
  }

  # After Terraform deletes a function, the function's network interfaces still exist, and they have no tag. Terraform
  # must delete these interfaces before the subnets and the security groups that they use. Only the VPC identifies the
  # interfaces:
  # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html#amazonec2-network-interface
  dynamic "statement" {
    for_each = length(data.aws_vpcs.this[each.key].ids) > 0 ? [data.aws_vpcs.this[each.key].ids] : []

    content {
      sid       = "DeleteFunctionInterfaces"
      actions   = ["ec2:DeleteNetworkInterface", "ec2:DetachNetworkInterface"]
      resources = ["${local.arn_prefix}:ec2:*:${local.account_id}:network-interface/*"]

      condition {
        test     = "ArnLike"
        variable = "ec2:Vpc"
        values   = [for id in statement.value : "${local.arn_prefix}:ec2:*:${local.account_id}:vpc/${id}"]
      }
    }
  }
}
