# The read permissions that `terraform plan` needs. A deployment role has them for its own environment. The plan role,
# which plans pull requests and pushes to main and detects drift, has them for all environments. They allow reading the
# configuration of resources, but no S3 objects and no DynamoDB items.
data "aws_iam_policy_document" "read" {
  #checkov:skip=CKV_AWS_356:the actions in ReadWithoutResourceArn support no resource ARN, or AWS may deny them if the policy names one; they return names and configuration only
  for_each = merge({ for name in var.environments : name => name }, { plan = "*" })

  # https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
  statement {
    sid = "ReadWithoutResourceArn"
    actions = [
      "application-autoscaling:Describe*",
      "cloudwatch:DescribeAlarms",
      "ec2:Describe*",
      "kms:ListAliases",
      "logs:DescribeLogGroups",
      "sagemaker:List*",
      "servicequotas:ListAWSDefaultServiceQuotas",
      "servicequotas:ListServiceQuotas",
      "sns:GetSubscriptionAttributes",
      "ssm:DescribeParameters",
      "states:ValidateStateMachineDefinition",
      "sts:GetCallerIdentity",
      "tag:GetResources",
    ]
    resources = ["*"]
  }

  statement {
    sid = "ReadConfiguration"
    actions = [
      "application-autoscaling:ListTagsForResource",
      "budgets:ListTagsForResource",
      "budgets:ViewBudget",
      "cloudwatch:GetDashboard",
      "cloudwatch:ListTagsForResource",
      "dynamodb:Describe*",
      "dynamodb:ListTagsOfResource",
      "events:DescribeRule",
      "events:ListTagsForResource",
      "events:ListTargetsByRule",
      "iam:GetRole",
      "iam:GetRolePolicy",
      "iam:ListAttachedRolePolicies",
      "iam:ListInstanceProfilesForRole",
      "iam:ListRolePolicies",
      "kms:DescribeKey",
      "kms:GetKeyPolicy",
      "kms:GetKeyRotationStatus",
      "kms:ListResourceTags",
      "lambda:GetFunction",
      "lambda:GetFunctionCodeSigningConfig",
      "lambda:ListVersionsByFunction",
      "logs:DescribeLogStreams",
      "logs:DescribeMetricFilters",
      "logs:ListTagsForResource",
      "s3:GetAccelerateConfiguration",
      "s3:GetBucket*",
      "s3:GetEncryptionConfiguration",
      "s3:GetLifecycleConfiguration",
      "s3:GetReplicationConfiguration",
      "s3:ListBucket",
      "sagemaker:Describe*",
      "scheduler:GetSchedule",
      "sns:GetTopicAttributes",
      "sns:ListTagsForResource",
      "sqs:GetQueueAttributes",
      "sqs:GetQueueUrl", # for deployment/resource_lookups.py, which finds out whether a queue exists
      "sqs:ListQueueTags",
      "ssm:GetParameter",
      "ssm:GetParametersByPath",
      "ssm:ListTagsForResource",
      "states:DescribeStateMachine",
      "states:ListStateMachineVersions",
      "states:ListTagsForResource",
    ]
    resources = [
      # ARNs of scalable targets and KMS keys do not contain the environment's name, so all of them can be read
      "${local.arn_prefix}:application-autoscaling:*:${local.account_id}:scalable-target/*",
      "${local.arn_prefix}:kms:*:${local.account_id}:key/*",
      "${local.arn_prefix}:budgets::${local.account_id}:budget/scones-${each.value}-*",
      "${local.arn_prefix}:cloudwatch:*:${local.account_id}:alarm:scones-${each.value}-*",
      "${local.arn_prefix}:cloudwatch::${local.account_id}:dashboard/scones-${each.value}",
      "${local.arn_prefix}:dynamodb:*:${local.account_id}:table/scones-${each.value}-*",
      "${local.arn_prefix}:events:*:${local.account_id}:rule/scones-${each.value}-*",
      "${local.arn_prefix}:iam::${local.account_id}:role/scones-${each.value}-*",
      "${local.arn_prefix}:lambda:*:${local.account_id}:function:scones-${each.value}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/*/scones-${each.value}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/sagemaker/*Jobs*",
      "${local.arn_prefix}:s3:::scones-${each.value}-*",
      "${local.arn_prefix}:sagemaker:*:${local.account_id}:*/scones-${each.value}-*",
      "${local.arn_prefix}:scheduler:*:${local.account_id}:schedule/*/scones-${each.value}-*",
      "${local.arn_prefix}:sns:*:${local.account_id}:scones-${each.value}-*",
      "${local.arn_prefix}:sqs:*:${local.account_id}:scones-${each.value}-*",
      # AWS checks the permission for GetParametersByPath on the path and on the parameters below the path
      "${local.arn_prefix}:ssm:*:${local.account_id}:parameter/scones/${each.value}",
      "${local.arn_prefix}:ssm:*:${local.account_id}:parameter/scones/${each.value}/*",
      "${local.arn_prefix}:states:*:${local.account_id}:stateMachine:scones-${each.value}-*",
      module.state.arn,
    ]
  }

  statement {
    sid       = "DecryptState"
    actions   = ["kms:Decrypt"]
    resources = [module.kms_key.arn]
  }
}

# The permissions of the plan role. Workflows run `terraform plan -lock=false`, so the role need not write a state lock.
data "aws_iam_policy_document" "plan" {
  source_policy_documents = [data.aws_iam_policy_document.read["plan"].json]

  statement {
    sid       = "ReadState"
    actions   = ["s3:GetObject"]
    resources = [for name in var.environments : "${module.state.arn}/${name}.tfstate"]
  }
}
