# The permissions boundary of an environment's roles: a role may perform only actions that both the boundary and its own policy
# allow. The boundary allows no access to the Terraform state or to the data of another environment.
data "aws_iam_policy_document" "boundary" {
  for_each = var.environments

  statement {
    sid = "EnvironmentResources"
    actions = [
      "cloudwatch:DescribeAlarms",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "lambda:InvokeFunction",
      "logs:CreateLogGroup",
      "logs:CreateLogStream",
      "logs:DescribeLogStreams",
      "logs:PutLogEvents",
      "s3:AbortMultipartUpload",
      "s3:GetObject",
      "s3:GetObjectVersion",
      "s3:ListBucket",
      "s3:ListMultipartUploadParts",
      "s3:PutObject",
      "sagemaker:AddTags",
      "sagemaker:CreateProcessingJob",
      "sagemaker:DeleteEndpoint",
      "sagemaker:InvokeEndpoint",
      "sns:Publish",
      "sqs:SendMessage",
      "states:DescribeExecution",
      "states:RedriveExecution",
      "states:StartExecution",
      "states:StopExecution",
    ]
    resources = [
      "${local.arn_prefix}:cloudwatch:*:${local.account_id}:alarm:scones-${each.key}-*",
      "${local.arn_prefix}:dynamodb:*:${local.account_id}:table/scones-${each.key}-*",
      "${local.arn_prefix}:lambda:*:${local.account_id}:function:scones-${each.key}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/lambda/scones-${each.key}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/sagemaker/Endpoints/scones-${each.key}-*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/vpc/scones-${each.key}-*",
      # all jobs of the account share these log groups; the actions above can only append to them and list their streams
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/sagemaker/ProcessingJobs*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/sagemaker/TrainingJobs*",
      "${local.arn_prefix}:logs:*:${local.account_id}:log-group:/aws/sagemaker/TransformJobs*",
      "${local.arn_prefix}:s3:::scones-${each.key}-*",
      "${local.arn_prefix}:sagemaker:*:${local.account_id}:endpoint/scones-${each.key}-*",
      "${local.arn_prefix}:sagemaker:*:${local.account_id}:processing-job/scones-${each.key}-*",
      "${local.arn_prefix}:sns:*:${local.account_id}:scones-${each.key}-*",
      "${local.arn_prefix}:sqs:*:${local.account_id}:scones-${each.key}-*",
      "${local.arn_prefix}:states:*:${local.account_id}:*:scones-${each.key}-*",
    ]
  }

  # A KMS key's ARN does not contain the environment's name, so the tag `Environment` selects the key: https://docs.aws.amazon.com/kms/latest/developerguide/tag-authorization.html
  statement {
    sid       = "Keys"
    actions   = ["kms:CreateGrant", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*"]
    resources = ["${local.arn_prefix}:kms:*:${local.account_id}:key/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/Environment"
      values   = [each.key]
    }
  }

  # The schedule that deletes an endpoint also deregisters its scalable target, whose ARN does not contain the
  # environment's name
  statement {
    sid       = "DeregisterScalableTarget"
    actions   = ["application-autoscaling:DeregisterScalableTarget"]
    resources = ["${local.arn_prefix}:application-autoscaling:*:${local.account_id}:scalable-target/*"]

    condition {
      test     = "StringEquals"
      variable = "application-autoscaling:service-namespace"
      values   = ["sagemaker"]
    }

    condition {
      test     = "StringEqualsIfExists"
      variable = "aws:ResourceTag/Environment"
      values   = [each.key]
    }
  }

  # The schedule that starts drift jobs passes their role to SageMaker
  statement {
    sid       = "PassJobRole"
    actions   = ["iam:PassRole"]
    resources = ["${local.arn_prefix}:iam::${local.account_id}:role/scones-${each.key}-drift-job"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["sagemaker.amazonaws.com"]
    }
  }

  # Lambda and SageMaker use the roles of functions, jobs and models to create their network interfaces in a VPC. Lambda
  # rejects a role whose policy names a narrower resource: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
  statement {
    sid = "Interfaces"
    actions = [
      "ec2:AssignPrivateIpAddresses",
      "ec2:CreateNetworkInterface",
      "ec2:CreateNetworkInterfacePermission",
      "ec2:DeleteNetworkInterface",
      "ec2:DeleteNetworkInterfacePermission",
      "ec2:UnassignPrivateIpAddresses",
    ]
    resources = ["${local.arn_prefix}:ec2:*:${local.account_id}:*/*"]
  }

  statement {
    sid       = "Images"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = ["${local.arn_prefix}:ecr:*:*:repository/*"]
  }

  statement {
    sid = "WithoutResourceArn"
    actions = [
      "cloudwatch:PutMetricData",
      "ec2:DescribeDhcpOptions",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets",
      "ec2:DescribeVpcs",
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
    # these actions support no resource ARN
    resources = ["*"]
  }
}

resource "aws_iam_policy" "boundary" {
  for_each = var.environments

  name        = "scones-boundary-${each.key}"
  description = "Permissions boundary of all roles of scones-${each.key}."
  policy      = data.aws_iam_policy_document.boundary[each.key].json
}
