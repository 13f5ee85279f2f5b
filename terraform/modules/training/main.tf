data "aws_partition" "this" {}

data "aws_region" "this" {}

data "aws_caller_identity" "this" {}

locals {
  arn_prefix = "arn:${data.aws_partition.this.partition}"
  place      = "${data.aws_region.this.name}:${data.aws_caller_identity.this.account_id}"
}

# AWS's own containers, whose registry's account differs from region to region
data "aws_sagemaker_prebuilt_ecr_image" "training" {
  repository_name = "pytorch-training"
  image_tag       = "2.6-cpu-py312"
}

data "aws_sagemaker_prebuilt_ecr_image" "serving" {
  repository_name = "pytorch-inference"
  image_tag       = "2.6-cpu-py312"
}

data "aws_sagemaker_prebuilt_ecr_image" "built_in" {
  repository_name = "image-classification"
  image_tag       = "1"
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["sagemaker.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "ReadImagesAndCode"
    actions   = ["s3:GetObject"]
    resources = ["${var.bucket_arn}/*"]
  }

  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [var.bucket_arn]
  }

  statement {
    sid       = "WriteModelsAnswersAndCheckpoints"
    actions   = ["s3:PutObject", "s3:AbortMultipartUpload"]
    resources = [for key in [var.models_key, var.transform_key, var.checkpoints_key] : "${var.bucket_arn}/${key}/*"]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = [var.kms_key_arn]
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = [for kind in ["TrainingJobs", "TransformJobs"] : "${local.arn_prefix}:logs:${local.place}:log-group:/aws/sagemaker/${kind}*"]
  }

  statement {
    sid     = "WriteMetrics"
    actions = ["cloudwatch:PutMetricData"]
    # metrics have no resource to name, only a namespace
    resources = ["*"]

    condition {
      test     = "StringLike"
      variable = "cloudwatch:namespace"
      values   = ["/aws/sagemaker/*"]
    }
  }

  statement {
    sid     = "PullImage"
    actions = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [
      for image in [
        data.aws_sagemaker_prebuilt_ecr_image.training,
        data.aws_sagemaker_prebuilt_ecr_image.serving,
        data.aws_sagemaker_prebuilt_ecr_image.built_in,
      ] : "${local.arn_prefix}:ecr:*:*:repository/${image.repository_name}"
    ]
  }

  statement {
    sid     = "LogInToRegistry"
    actions = ["ecr:GetAuthorizationToken"]
    # a token is for all registries that its owner may read
    resources = ["*"]
  }
}

resource "aws_iam_role" "this" {
  name                 = "${var.prefix}-training"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "this" {
  name   = "training"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_sagemaker_model_package_group" "this" {
  model_package_group_name        = "${var.prefix}-vehicles"
  model_package_group_description = "Vehicle classifiers, one version a training job."
}
