locals {
  # Reading what is there has no resource that could be named before it is there
  read = [
    "application-autoscaling:Describe*",
    "application-autoscaling:ListTagsForResource",
    "budgets:ListTagsForResource",
    "budgets:ViewBudget",
    "cloudwatch:Describe*",
    "cloudwatch:GetDashboard",
    "cloudwatch:List*",
    "dynamodb:Describe*",
    "dynamodb:ListTagsOfResource",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListInstanceProfilesForRole",
    "iam:ListRolePolicies",
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListAliases",
    "kms:ListResourceTags",
    "lambda:GetFunction",
    "lambda:GetFunctionCodeSigningConfig",
    "lambda:ListVersionsByFunction",
    "logs:DescribeLogGroups",
    "logs:DescribeMetricFilters",
    "logs:ListTagsForResource",
    "s3:GetBucket*",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetAccelerateConfiguration",
    "s3:GetReplicationConfiguration",
    "s3:ListBucket",
    "sagemaker:Describe*",
    "sagemaker:List*",
    "scheduler:GetSchedule",
    "scheduler:ListTagsForResource",
    "sns:Get*",
    "sns:ListTagsForResource",
    "ssm:GetParametersByPath",
    "states:Describe*",
    "states:ListStateMachineVersions",
    "states:ListTagsForResource",
    "states:ValidateStateMachineDefinition",
    "sts:GetCallerIdentity",
    "tag:GetResources",
  ]
}

# A boundary allows nothing by itself: a role may do what it and its own policy have in common
data "aws_iam_policy_document" "boundary" {
  statement {
    sid = "OfThisProject"
    actions = [
      "cloudwatch:DescribeAlarms",
      "dynamodb:PutItem",
      "lambda:InvokeFunction",
      "logs:CreateLogGroup",
      "logs:CreateLogStream",
      "logs:DescribeLogStreams",
      "logs:PutLogEvents",
      "s3:GetObject",
      "s3:ListBucket",
      "s3:PutObject",
      "sagemaker:DeleteEndpoint",
      "sagemaker:InvokeEndpoint",
      "sns:Publish",
    ]
    resources = [
      "${local.arn_prefix}:cloudwatch:*:${local.account_id}:alarm:scones-*",
      "${local.arn_prefix}:dynamodb:*:${local.account_id}:table/scones-*",
      "${local.arn_prefix}:lambda:*:${local.account_id}:function:scones-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/*",
      "${local.arn_prefix}:s3:::scones-*",
      "${local.arn_prefix}:sagemaker:*:${local.account_id}:endpoint/scones-*",
      "${local.arn_prefix}:sns:*:${local.account_id}:scones-*",
    ]
  }

  statement {
    sid       = "Keys"
    actions   = ["kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["${local.arn_prefix}:kms:*:${local.account_id}:key/*"]
  }

  statement {
    sid       = "Images"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = ["${local.arn_prefix}:ecr:*:*:repository/*"]
  }

  statement {
    sid = "WithoutResource"
    actions = [
      "cloudwatch:PutMetricData",
      "ecr:GetAuthorizationToken",
      "logs:CreateLogDelivery",
      "logs:DeleteLogDelivery",
      "logs:DescribeLogGroups",
      "logs:DescribeResourcePolicies",
      "logs:GetLogDelivery",
      "logs:ListLogDeliveries",
      "logs:PutResourcePolicy",
      "logs:UpdateLogDelivery",
      "xray:GetSamplingRules",
      "xray:GetSamplingTargets",
      "xray:PutTelemetryRecords",
      "xray:PutTraceSegments",
    ]
    # none of these has a resource to name
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "plan" {
  #checkov:skip=CKV_AWS_356:it reads settings, not data; what will be there has no name to give before it is there
  statement {
    sid       = "ReadSettings"
    actions   = local.read
    resources = ["*"]
  }

  statement {
    sid       = "ReadState"
    actions   = ["s3:GetObject"]
    resources = ["${module.state.arn}/*"]
  }

  # a plan takes the lock too
  statement {
    sid       = "Lock"
    actions   = ["s3:DeleteObject", "s3:PutObject"]
    resources = ["${module.state.arn}/*.tflock"]
  }

  statement {
    sid       = "ReadStatesKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [module.keys.arn]
  }
}

data "aws_iam_policy_document" "deploy" {
  #checkov:skip=CKV_AWS_356:reading settings, making keys and asking for a trained model's image have no resource to name
  #checkov:skip=CKV_AWS_109:roles may be made within the boundary alone, which a statement of its own sees to
  #checkov:skip=CKV_AWS_111:what has no name before it is made is made for this project's tag alone
  for_each = var.environments

  statement {
    sid       = "ReadSettings"
    actions   = local.read
    resources = ["*"]
  }

  statement {
    sid       = "State"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${module.state.arn}/${each.key}.tfstate", "${module.state.arn}/${each.key}.tfstate.tflock"]
  }

  statement {
    sid       = "StatesKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [module.keys.arn]
  }

  statement {
    sid = "OfThisEnvironment"
    actions = [
      "application-autoscaling:*",
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
      "${local.arn_prefix}:application-autoscaling:*:${local.account_id}:scalable-target/*",
      "${local.arn_prefix}:budgets:*:${local.account_id}:budget/scones-${each.key}-*",
      "${local.arn_prefix}:cloudwatch:*:${local.account_id}:alarm:scones-${each.key}-*",
      "${local.arn_prefix}:cloudwatch:*:${local.account_id}:dashboard/scones-${each.key}*",
      "${local.arn_prefix}:dynamodb:*:${local.account_id}:table/scones-${each.key}-*",
      "${local.arn_prefix}:lambda:*:${local.account_id}:function:scones-${each.key}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/lambda/scones-${each.key}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/sagemaker/*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/vendedlogs/states/scones-${each.key}-*",
      "${local.arn_prefix}:s3:::scones-${each.key}-*",
      "${local.arn_prefix}:sagemaker:*:${local.account_id}:*/scones-${each.key}-*",
      "${local.arn_prefix}:scheduler:*:${local.account_id}:schedule/*/scones-${each.key}-*",
      "${local.arn_prefix}:sns:*:${local.account_id}:scones-${each.key}-*",
      "${local.arn_prefix}:ssm:*:${local.account_id}:parameter/scones/${each.key}/*",
      "${local.arn_prefix}:states:*:${local.account_id}:*:scones-${each.key}-*",
    ]
  }

  # a key has no name before it is made; a tag says whose it is
  statement {
    sid       = "MakeKeys"
    actions   = ["kms:CreateKey", "kms:TagResource"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/Environment"
      values   = [each.key]
    }
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

  # Roles are made within the boundary, or not at all, and it is never taken off
  statement {
    sid       = "MakeRolesWithinTheBoundary"
    actions   = ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
    resources = ["${local.arn_prefix}:iam::${local.account_id}:role/scones-${each.key}-*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [local.boundary_arn]
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
      values   = ["lambda.amazonaws.com", "sagemaker.amazonaws.com", "scheduler.amazonaws.com", "states.amazonaws.com"]
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
