# A schedule starts a processing job in the model's inference image. The job runs training/container/drift.py from
# model.tar.gz, and compares the images that the endpoint captured in the last hours with the baseline in the same
# archive. This module creates no resources if there is no schedule, or if the model has no baseline, like a model of the
# built-in algorithm.
locals {
  name  = "${var.prefix}-drift"
  count = var.schedule == null || var.model == null ? 0 : 1

  # GROUPS in training/container/classifier/drift.py
  groups = {
    confidence       = "The model's confidence"
    classes          = "The mix of predicted classes"
    image_statistics = "Brightness, contrast, sharpness or colour of the images"
    embedding        = "The embedding of the images (the network's features)"
  }

  # A job takes a few minutes, and needs little disk space
  instance_type = "ml.m5.xlarge"
  volume_gb     = 10
  max_seconds   = 3600

  region_account = "${data.aws_region.this.name}:${data.aws_caller_identity.this.account_id}"
  jobs_arn       = "arn:${data.aws_partition.this.partition}:sagemaker:${local.region_account}:processing-job/${local.name}-*"

  # An argument of a processing container has at most 256 characters:
  # https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_AppSpecification.html
  # The script is short, because the model's archive contains the code and, with bundle_packages, also the packages
  # (training/packages.py).
  input_path = "/opt/ml/processing/model"
  script     = "cd $(mktemp -d) && tar -xzf ${local.input_path}/model.tar.gz && python -m pip install -q --find-links code/packages -r code/requirements.txt && exec python code/drift.py"

  # The request of CreateProcessingJob. EventBridge Scheduler replaces the words in angle brackets:
  # https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
  request = local.count == 0 ? null : merge({
    ProcessingJobName = "${local.name}-<aws.scheduler.execution-id>"
    RoleArn           = module.role[0].arn
    StoppingCondition = { MaxRuntimeInSeconds = local.max_seconds }
    Tags              = [for key, value in var.tags : { Key = key, Value = value }]
    ProcessingInputs = [{
      InputName = "model"
      S3Input = {
        S3Uri       = var.model.data_url
        LocalPath   = local.input_path
        S3DataType  = "S3Prefix"
        S3InputMode = "File"
      }
    }]
    ProcessingResources = {
      ClusterConfig = {
        InstanceCount  = 1
        InstanceType   = local.instance_type
        VolumeSizeInGB = local.volume_gb
        VolumeKmsKeyId = var.kms_key_arn
      }
    }
    AppSpecification = {
      ImageUri            = var.image
      ContainerEntrypoint = ["/bin/bash", "-c"]
      ContainerArguments  = [local.script]
    }
    # drift_job.py in training/container/classifier reads these variables into its class `Settings`
    Environment = merge(
      {
        ENVIRONMENT     = var.environment
        REGION          = data.aws_region.this.name
        BUCKET          = var.bucket_name
        CAPTURES_PREFIX = var.captures_prefix
        HISTORY_PREFIX  = var.history_prefix
        REVIEW_PREFIX   = var.review_prefix
        MODEL           = var.model.version
        NAMESPACE       = var.namespace
        TOPIC_ARN       = var.topic_arn
        WINDOW_HOURS    = tostring(var.window_hours)
        WINDOW_END      = "<aws.scheduler.scheduled-time>"
        # SageMaker writes a record to S3 some minutes after the response, so the compared period ends before WINDOW_END
        CAPTURE_DELAY_MINUTES = "10"
      },
      # pip installs only the packages in the archive, and never contacts a package index
      var.bundle_packages ? { PIP_NO_INDEX = "1" } : {},
    )
    # no network isolation, because the job calls S3, CloudWatch and SNS through the VPC endpoints
    }, var.network == null ? {} : {
    NetworkConfig = { VpcConfig = { Subnets = var.network.subnet_ids, SecurityGroupIds = var.network.security_group_ids } }
  })

  # jsonencode escapes angle brackets, but Scheduler replaces words only in plain angle brackets:
  # https://developer.hashicorp.com/terraform/language/functions/jsonencode
  request_json = local.count == 0 ? null : replace(replace(jsonencode(local.request), "\\u003c", "<"), "\\u003e", ">")
}

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

module "role" {
  source = "../sagemaker_role"
  count  = local.count

  name                 = "${local.name}-job"
  bucket_arn           = var.bucket_arn
  readable_keys        = ["${var.models_prefix}/*", "${var.captures_prefix}/*"]
  writable_prefixes    = ["${var.history_prefix}/drift", "${var.review_prefix}/selected"]
  kms_key_arn          = var.kms_key_arn
  encrypts_volumes     = true
  log_groups           = ["ProcessingJobs"]
  repositories         = ["pytorch-inference"]
  metrics_namespaces   = [var.namespace]
  topic_arns           = [var.topic_arn]
  network_policy       = one(var.network[*].policy)
  permissions_boundary = var.permissions_boundary
}

data "aws_iam_policy_document" "assume" {
  count = local.count

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

data "aws_iam_policy_document" "this" {
  count = local.count

  # A request with tags also needs sagemaker:AddTags:
  # https://docs.aws.amazon.com/sagemaker/latest/dg/api-permissions-reference.html
  statement {
    sid       = "StartJob"
    actions   = ["sagemaker:AddTags", "sagemaker:CreateProcessingJob"]
    resources = [local.jobs_arn]
  }

  statement {
    sid       = "PassRole"
    actions   = ["iam:PassRole"]
    resources = [module.role[0].arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["sagemaker.amazonaws.com"]
    }
  }

  # https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
  statement {
    sid       = "ReportFailure"
    actions   = ["sqs:SendMessage"]
    resources = [var.undelivered_queue_arn]
  }
}

resource "aws_iam_role" "this" {
  count = local.count

  name                 = local.name
  assume_role_policy   = data.aws_iam_policy_document.assume[0].json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "this" {
  count = local.count

  name   = "start-job"
  role   = aws_iam_role.this[0].id
  policy = data.aws_iam_policy_document.this[0].json
}

resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:the schedule contains names of resources and no secrets
  count = local.count

  name                = local.name
  description         = "Compares the captured images of the last ${var.window_hours} hours with the model's baseline."
  schedule_expression = var.schedule

  flexible_time_window {
    mode = "OFF"
  }

  target {
    # universal target: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
    arn      = "arn:${data.aws_partition.this.partition}:scheduler:::aws-sdk:sagemaker:createProcessingJob"
    role_arn = aws_iam_role.this[0].arn
    input    = local.request_json

    retry_policy {
      maximum_event_age_in_seconds = 3600
    }

    dead_letter_config {
      arn = var.undelivered_queue_arn
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

# For each group of properties, the job publishes the metric value 1 if the group has drifted, and 0 if not. Between two
# jobs, and after a job that published no value, for example because it had too few images, an alarm keeps its state.
resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.count == 0 ? {} : local.groups

  alarm_name          = "${local.name}-${replace(each.key, "_", "-")}"
  alarm_description   = "${each.value} differs from the model's baseline. The job's SNS message has the differences and examples. The section Drift of docs/operations.md says what to do."
  namespace           = var.namespace
  metric_name         = "Drift"
  dimensions          = { Group = each.key }
  statistic           = "Maximum"
  period              = 300
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "ignore"
  alarm_actions       = [var.topic_arn]
}

# https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
resource "aws_cloudwatch_event_rule" "failed" {
  count = local.count

  name        = "${local.name}-failed"
  description = "Drift jobs that failed or were stopped."

  event_pattern = jsonencode({
    source      = ["aws.sagemaker"]
    detail-type = ["SageMaker Processing Job State Change"]
    detail = {
      ProcessingJobName   = [{ prefix = "${local.name}-" }]
      ProcessingJobStatus = ["Failed", "Stopped"]
    }
  })
}

resource "aws_cloudwatch_event_target" "failed" {
  count = local.count

  rule      = aws_cloudwatch_event_rule.failed[0].name
  target_id = "topic" # with a generated ID, an apply after a killed one could create a second target
  arn       = var.topic_arn

  input_transformer {
    input_paths    = { name = "$.detail.ProcessingJobName", status = "$.detail.ProcessingJobStatus", reason = "$.detail.FailureReason" }
    input_template = "\"The drift job <name> ended with the status <status>: <reason>. Its log is in /aws/sagemaker/ProcessingJobs. To run it again: make data-drift ENV=${var.environment} RUN=1\""
  }

  dead_letter_config {
    arn = var.undelivered_queue_arn
  }
}
