# Permissions of an environment's deployment role: read the environment's resources, write its Terraform state, manage
# resources whose names start with `scones-<environment>`, and create roles that have the environment's permissions
# boundary.
data "aws_iam_policy_document" "deploy" {
  #checkov:skip=CKV_AWS_356:kms:CreateKey and kms:TagResource require `*` for a new key, and a condition requires this environment's tag
  #checkov:skip=CKV_AWS_109:CreateRolesWithinBoundary requires the permissions boundary for every role
  #checkov:skip=CKV_AWS_111:new resources without a predictable ARN require this environment's tag
  for_each = var.environments

  source_policy_documents = [
    data.aws_iam_policy_document.read[each.key].json,
    data.aws_iam_policy_document.deploy_network[each.key].json,
  ]

  statement {
    sid       = "State"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${module.state.arn}/${each.key}.tfstate", "${module.state.arn}/${each.key}.tfstate.tflock"]
  }

  statement {
    sid       = "EncryptState"
    actions   = ["kms:GenerateDataKey"]
    resources = [module.kms_key.arn]
  }

  statement {
    sid = "EnvironmentResources"
    actions = [
      "budgets:*",
      "cloudwatch:*",
      "dynamodb:*",
      "events:*",
      "lambda:*",
      "logs:*",
      "s3:*",
      "sagemaker:*",
      "scheduler:*",
      "sns:*",
      "sqs:*",
      "ssm:*",
      "states:*",
    ]
    resources = [
      "${local.arn_prefix}:budgets:*:${local.account_id}:budget/scones-${each.key}-*",
      "${local.arn_prefix}:cloudwatch:*:${local.account_id}:alarm:scones-${each.key}-*",
      # alarms that a target tracking policy creates with the caller's permissions:
      # https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_id-based-policy-examples.html
      "${local.arn_prefix}:cloudwatch:*:${local.account_id}:alarm:TargetTracking-endpoint/scones-${each.key}-*",
      "${local.arn_prefix}:cloudwatch:*:${local.account_id}:dashboard/scones-${each.key}",
      "${local.arn_prefix}:dynamodb:*:${local.account_id}:table/scones-${each.key}-*",
      "${local.arn_prefix}:events:*:${local.account_id}:rule/scones-${each.key}-*",
      "${local.arn_prefix}:lambda:*:${local.account_id}:function:scones-${each.key}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/lambda/scones-${each.key}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/sagemaker/Endpoints/scones-${each.key}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/sagemaker/ProcessingJobs:log-stream:scones-${each.key}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/sagemaker/TrainingJobs:log-stream:scones-${each.key}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/sagemaker/TransformJobs:log-stream:scones-${each.key}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/vendedlogs/states/scones-${each.key}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/vpc/scones-${each.key}-*",
      "${local.arn_prefix}:s3:::scones-${each.key}-*",
      "${local.arn_prefix}:sagemaker:*:${local.account_id}:*/scones-${each.key}-*",
      "${local.arn_prefix}:scheduler:*:${local.account_id}:schedule/*/scones-${each.key}-*",
      "${local.arn_prefix}:sns:*:${local.account_id}:scones-${each.key}-*",
      "${local.arn_prefix}:sqs:*:${local.account_id}:scones-${each.key}-*",
      "${local.arn_prefix}:ssm:*:${local.account_id}:parameter/scones/${each.key}/*",
      "${local.arn_prefix}:states:*:${local.account_id}:*:scones-${each.key}-*",
    ]
  }

  # A scalable target's ARN does not contain the environment's name, so the tag `Environment` selects the target. The
  # conditions use IfExists, because a tagging request has no service namespace and a new target has no tag:
  # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsapplicationautoscaling.html
  statement {
    sid       = "ManageScaling"
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

  # A new KMS key has no predictable ARN, so the request must tag the key with the environment's name
  statement {
    sid       = "CreateKeys"
    actions   = ["kms:CreateKey"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/Environment"
      values   = [each.key]
    }
  }

  # Tagging a KMS key during its creation requires permission on `*`. The key has no tag yet, so the second condition
  # uses IfExists:
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

  # If a deployment role could tag another environment's key with its own environment's name, it could then administer
  # that key. This statement therefore denies tagging a key with an alias other than the environment's, even if the key
  # has no tag:
  # https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
  statement {
    sid       = "DenyTaggingOtherKeys"
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
    sid         = "DenyAdministeringStateKey"
    effect      = "Deny"
    not_actions = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", "kms:Get*", "kms:List*"]
    resources   = [module.kms_key.arn]
  }

  statement {
    sid       = "ManageKeys"
    actions   = ["kms:*"]
    resources = ["${local.arn_prefix}:kms:*:${local.account_id}:key/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/Environment"
      values   = [each.key]
    }
  }

  statement {
    sid       = "ManageKeyAliases"
    actions   = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"]
    resources = ["${local.arn_prefix}:kms:*:${local.account_id}:alias/scones-${each.key}"]
  }

  # Every role must have the permissions boundary. The deployment role has no permission to remove it.
  statement {
    sid       = "CreateRolesWithinBoundary"
    actions   = ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
    resources = ["${local.arn_prefix}:iam::${local.account_id}:role/scones-${each.key}-*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [aws_iam_policy.boundary[each.key].arn]
    }
  }

  statement {
    sid = "ManageRoles"
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
      values   = [for service in ["events", "lambda", "sagemaker", "scheduler", "states", "vpc-flow-logs"] : "${service}.amazonaws.com"]
    }
  }

  statement {
    sid       = "CreateAutoScalingServiceRole"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["${local.arn_prefix}:iam::${local.account_id}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/*"]

    condition {
      test     = "StringEquals"
      variable = "iam:AWSServiceName"
      values   = ["sagemaker.application-autoscaling.amazonaws.com"]
    }
  }
}
