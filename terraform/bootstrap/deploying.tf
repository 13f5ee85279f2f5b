locals {
  network = [
    for kind in ["route-table", "security-group", "security-group-rule", "subnet", "vpc", "vpc-endpoint", "vpc-flow-log"] :
    "${local.arn_prefix}:ec2:*:${local.account_id}:${kind}/*"
  ]
}

# What deploys an environment may do: read it, keep its state, make what bears its name, and roles within its boundary.
data "aws_iam_policy_document" "deploy" {
  #checkov:skip=CKV_AWS_356:making and tagging keys has no resource to name, and asks for this environment's tag
  #checkov:skip=CKV_AWS_109:roles may be made within the boundary alone, which a statement of its own sees to
  #checkov:skip=CKV_AWS_111:what has no name before it is made is made for this project's tag alone
  for_each = var.environments

  source_policy_documents = [data.aws_iam_policy_document.read[each.key].json]

  statement {
    sid       = "State"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${module.state.arn}/${each.key}.tfstate", "${module.state.arn}/${each.key}.tfstate.tflock"]
  }

  statement {
    sid       = "WriteWithStatesKey"
    actions   = ["kms:GenerateDataKey"]
    resources = [module.keys.arn]
  }

  statement {
    sid = "OfThisEnvironment"
    actions = [
      "budgets:*",
      "cloudwatch:*",
      "dynamodb:*",
      "lambda:*",
      "logs:*",
      "s3:*",
      "sagemaker:*",
      "scheduler:*",
      "sns:*",
      "ssm:*",
      "states:*",
    ]
    resources = [
      "${local.arn_prefix}:budgets:*:${local.account_id}:budget/scones-${each.key}-*",
      "${local.arn_prefix}:cloudwatch:*:${local.account_id}:alarm:scones-${each.key}-*",
      # what a scaling policy goes by, made in its maker's name:
      # https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_id-based-policy-examples.html
      "${local.arn_prefix}:cloudwatch:*:${local.account_id}:alarm:TargetTracking-endpoint/scones-${each.key}-*",
      "${local.arn_prefix}:cloudwatch:*:${local.account_id}:dashboard/scones-${each.key}",
      "${local.arn_prefix}:dynamodb:*:${local.account_id}:table/scones-${each.key}-*",
      "${local.arn_prefix}:lambda:*:${local.account_id}:function:scones-${each.key}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/lambda/scones-${each.key}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/sagemaker/Endpoints/scones-${each.key}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/sagemaker/TrainingJobs:log-stream:scones-${each.key}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/sagemaker/TransformJobs:log-stream:scones-${each.key}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/vendedlogs/states/scones-${each.key}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/vpc/scones-${each.key}-*",
      "${local.arn_prefix}:s3:::scones-${each.key}-*",
      "${local.arn_prefix}:sagemaker:*:${local.account_id}:*/scones-${each.key}-*",
      "${local.arn_prefix}:scheduler:*:${local.account_id}:schedule/*/scones-${each.key}-*",
      "${local.arn_prefix}:sns:*:${local.account_id}:scones-${each.key}-*",
      "${local.arn_prefix}:ssm:*:${local.account_id}:parameter/scones/${each.key}/*",
      "${local.arn_prefix}:states:*:${local.account_id}:*:scones-${each.key}-*",
    ]
  }

  # A target's ARN says nothing of whose it is. To tag one names no namespace, and a new one has no tag yet:
  # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsapplicationautoscaling.html
  statement {
    sid       = "Scale"
    actions   = ["application-autoscaling:*"]
    resources = ["${local.arn_prefix}:application-autoscaling:*:${local.account_id}:scalable-target/*"]

    condition {
      test     = "StringEqualsIfExists"
      variable = "application-autoscaling:service-namespace"
      values   = ["sagemaker"]
    }

    condition {
      test     = "StringEqualsIfExists"
      variable = "aws:ResourceTag/Environment"
      values   = [each.key]
    }
  }

  # A key has no name before it is made; a tag says whose it is
  statement {
    sid       = "MakeKeys"
    actions   = ["kms:CreateKey"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/Environment"
      values   = [each.key]
    }
  }

  # To tag a key while it is made wants the right on `*`, where it has no tag yet:
  # https://docs.aws.amazon.com/kms/latest/developerguide/tag-permissions.html
  statement {
    sid       = "TagKeys"
    actions   = ["kms:TagResource"]
    resources = ["*"]

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

  # The tag would make another's key this environment's. One without a tag is known as another's by its alias:
  # https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
  statement {
    sid       = "LeaveOthersKeys"
    effect    = "Deny"
    actions   = ["kms:TagResource"]
    resources = ["*"]

    condition {
      test     = "ForAnyValue:StringNotEquals"
      variable = "kms:ResourceAliases"
      values   = ["alias/scones-${each.key}"]
    }
  }

  statement {
    sid         = "LeaveStatesKey"
    effect      = "Deny"
    not_actions = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", "kms:Get*", "kms:List*"]
    resources   = [module.keys.arn]
  }

  statement {
    sid       = "KeepKeys"
    actions   = ["kms:*"]
    resources = ["${local.arn_prefix}:kms:*:${local.account_id}:key/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/Environment"
      values   = [each.key]
    }
  }

  statement {
    sid       = "NameKeys"
    actions   = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"]
    resources = ["${local.arn_prefix}:kms:*:${local.account_id}:alias/scones-${each.key}"]
  }

  # The parts of a VPC have no names, only tags, which they get as they are made:
  # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
  statement {
    sid = "MakeNetwork"
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

  statement {
    sid = "KeepNetwork"
    actions = [
      "ec2:AssociateRouteTable",
      "ec2:AuthorizeSecurityGroup*",
      "ec2:CreateFlowLogs",
      "ec2:CreateRouteTable",
      "ec2:CreateSecurityGroup",
      "ec2:CreateSubnet",
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
  }

  # A function's network interfaces outlive it, bear no tag, and hold its subnets and groups: Terraform removes them
  statement {
    sid       = "RemoveInterfacesOfFunctions"
    actions   = ["ec2:DeleteNetworkInterface", "ec2:DetachNetworkInterface"]
    resources = ["${local.arn_prefix}:ec2:*:${local.account_id}:network-interface/*"]
  }

  # Roles are made within the boundary, or not at all, and it is never taken off
  statement {
    sid       = "MakeRolesWithinTheBoundary"
    actions   = ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
    resources = ["${local.arn_prefix}:iam::${local.account_id}:role/scones-${each.key}-*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [aws_iam_policy.boundary[each.key].arn]
    }
  }

  statement {
    sid = "KeepRoles"
    actions = [
      "iam:DeleteRole",
      "iam:DeleteRolePolicy",
      "iam:TagRole",
      "iam:UntagRole",
      "iam:UpdateAssumeRolePolicy",
      "iam:UpdateRole",
    ]
    resources = ["${local.arn_prefix}:iam::${local.account_id}:role/scones-${each.key}-*"]
  }

  statement {
    sid       = "PassRoles"
    actions   = ["iam:PassRole"]
    resources = ["${local.arn_prefix}:iam::${local.account_id}:role/scones-${each.key}-*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = [for service in ["lambda", "sagemaker", "scheduler", "states", "vpc-flow-logs"] : "${service}.amazonaws.com"]
    }
  }

  statement {
    sid       = "LetAutoscalingWork"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["${local.arn_prefix}:iam::${local.account_id}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/*"]

    condition {
      test     = "StringEquals"
      variable = "iam:AWSServiceName"
      values   = ["sagemaker.application-autoscaling.amazonaws.com"]
    }
  }
}
