# All of it is there from the first approved model on.
locals {
  count   = var.model_package_arn == null ? 0 : 1
  version = try(reverse(split("/", var.model_package_arn))[0], "")

  # The endpoint says with each answer which variant gave it: named for the model's version, it says which model did
  variant = "v${local.version}"

  # Disks of their own are encrypted by the instances, and a key for them is refused:
  # https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html
  has_own_disk   = can(regex("^ml\\.([a-z]+[0-9]+[a-z]*d[a-z]*|g4dn|g5|g6|p4d|p5|trn1|inf2)\\.", var.instance_type))
  volume_key_arn = local.has_own_disk ? null : var.kms_key_arn

  # A configuration cannot be changed, so each has a name of its own: the model's version and what is set here
  settings    = [local.variant, var.instance_type, var.instance_count, var.sampling_percentage, var.data_capture_uri, var.kms_key_arn]
  config_name = "${var.name}-${local.version}-${substr(sha256(jsonencode(local.settings)), 0, 8)}"

  arn_prefix = "arn:${var.partition}"
  place      = "${data.aws_region.this.name}:${data.aws_caller_identity.this.account_id}"
}

data "aws_region" "this" {}

data "aws_caller_identity" "this" {}

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
    sid       = "ReadModels"
    actions   = ["s3:GetObject"]
    resources = ["${var.bucket_arn}/${var.models_key}/*"]
  }

  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [var.bucket_arn]
  }

  statement {
    sid       = "CaptureData"
    actions   = ["s3:PutObject"]
    resources = ["${var.bucket_arn}/${var.data_capture_key}/*"]
  }

  statement {
    sid       = "UseKey" # to read models and to capture data
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = [var.kms_key_arn]
  }

  dynamic "statement" {
    for_each = local.volume_key_arn == null ? [] : [local.volume_key_arn]

    content {
      sid       = "LendKeyToVolumes"
      actions   = ["kms:CreateGrant"]
      resources = [statement.value]

      condition {
        test     = "Bool"
        variable = "kms:GrantIsForAWSResource"
        values   = ["true"]
      }
    }
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = ["${local.arn_prefix}:logs:${local.place}:log-group:/aws/sagemaker/Endpoints/${var.name}*"]
  }

  statement {
    sid     = "WriteMetrics"
    actions = ["cloudwatch:PutMetricData"]
    # metrics have no resource to name, only a namespace
    resources = ["*"]

    condition {
      test     = "StringLike"
      variable = "cloudwatch:namespace"
      values   = ["/aws/sagemaker/*", "AWS/SageMaker"]
    }
  }

  statement {
    sid       = "PullImage"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [for name in ["pytorch-inference", "image-classification"] : "${local.arn_prefix}:ecr:*:*:repository/${name}"]
  }

  statement {
    sid     = "LogInToRegistry"
    actions = ["ecr:GetAuthorizationToken"]
    # a token is for all registries that its owner may read
    resources = ["*"]
  }
}

resource "aws_iam_role" "this" {
  name                 = "${var.name}-hosting"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "this" {
  name   = "hosting"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_sagemaker_model" "this" {
  #checkov:skip=CKV_AWS_370:the inference image installs what the model's code/requirements.txt names when it starts
  count = local.count

  name               = "${var.name}-${local.version}"
  execution_role_arn = aws_iam_role.this.arn

  primary_container {
    model_package_name = var.model_package_arn
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_sagemaker_endpoint_configuration" "this" {
  count = local.count

  name        = local.config_name
  kms_key_arn = local.volume_key_arn

  production_variants {
    variant_name           = local.variant
    model_name             = aws_sagemaker_model.this[0].name
    instance_type          = var.instance_type
    initial_instance_count = var.instance_count
    initial_variant_weight = 1
  }

  data_capture_config {
    enable_capture              = true
    initial_sampling_percentage = var.sampling_percentage
    destination_s3_uri          = var.data_capture_uri
    kms_key_id                  = var.kms_key_arn

    capture_options {
      capture_mode = "Input"
    }

    capture_options {
      capture_mode = "Output"
    }

    # without it the answers are captured as base64
    capture_content_type_header {
      json_content_types = ["application/json"]
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_sagemaker_endpoint" "this" {
  count = local.count

  name                 = var.name
  endpoint_config_name = aws_sagemaker_endpoint_configuration.this[0].name
}
