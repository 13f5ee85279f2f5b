# Before the first approved model, this module creates no resources.
locals {
  count = var.model_version == null ? 0 : 1

  # SageMaker shifts traffic in steps only between variants with the same name:
  # https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-exclusions.html
  variant = "AllTraffic"

  # SageMaker rejects a KMS key for instances with local NVMe storage, which encrypt that storage themselves. The
  # pattern is derived from EC2's DescribeInstanceTypes for the instance types that SageMaker hosts models on:
  # https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html
  has_local_disk = can(regex("^ml\\.([a-z]+[0-9]+[a-z]*d[a-z]*|dl1|g5|gr?6[ef]?|g7e?|p5(e|en)?|p6e?-[a-z0-9]+|trn[0-9]+n?)\\.", var.instance_type))
  volume_key_arn = local.has_local_disk ? null : var.kms_key_arn

  # A deployment starts with the number of instances to which the endpoint has scaled. UpdateEndpoint's option
  # RetainAllVariantProperties would do this, too, but the provider cannot set it.
  initial_instance_count = var.max_instance_count == null ? var.instance_count : max(var.instance_count, min(var.max_instance_count, coalesce(var.live_instance_count, 1)))

  # A serverless endpoint supports no deployment guardrails:
  # https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails.html
  instance_based = var.serverless == null

  # The number of instances that a deployment starts. The attribute changes only with a new endpoint configuration, so
  # scaling alone changes no setting of the endpoint, which would start a deployment.
  deployed_instances = coalesce(one(aws_sagemaker_endpoint_configuration.this[*].production_variants[0].initial_instance_count), 1)

  # Whole instances, because CAPACITY_PERCENT of few instances may be less than one:
  # https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CapacitySize.html
  canary_instances = max(1, floor(local.deployed_instances * var.deployment.canary_percent / 100))
}

# A change of the setting instance_count requires a new endpoint configuration. A change of the live instance count does
# not.
resource "terraform_data" "instance_count" {
  count = local.count

  input = var.instance_count
}

resource "aws_sagemaker_endpoint_configuration" "this" {
  count = local.count

  name_prefix = "${var.name}-${var.model_version}-"
  kms_key_arn = local.instance_based ? local.volume_key_arn : null

  production_variants {
    variant_name           = local.variant
    model_name             = var.model_name
    instance_type          = local.instance_based ? var.instance_type : null
    initial_instance_count = local.instance_based ? local.initial_instance_count : null
    initial_variant_weight = 1

    dynamic "serverless_config" {
      for_each = var.serverless[*]

      content {
        memory_size_in_mb = serverless_config.value.memory_size_in_mb
        max_concurrency   = serverless_config.value.max_concurrency
      }
    }
  }

  dynamic "data_capture_config" {
    for_each = var.capture_percentage > 0 ? [true] : []

    content {
      enable_capture              = true
      initial_sampling_percentage = var.capture_percentage
      destination_s3_uri          = "${var.data_capture_uri}/v${var.model_version}" # a captured record does not name its model
      kms_key_id                  = var.kms_key_arn

      capture_options {
        capture_mode = "Input"
      }

      capture_options {
        capture_mode = "Output"
      }

      # other content types, such as images, are captured as base64
      capture_content_type_header {
        json_content_types = ["application/json"]
      }
    }
  }

  lifecycle {
    create_before_destroy = true
    ignore_changes        = [production_variants[0].initial_instance_count]
    replace_triggered_by  = [terraform_data.instance_count]
  }
}

module "alarms" {
  source = "../endpoint_alarms"
  count  = local.instance_based ? local.count : 0

  endpoint_name    = var.name
  variant_name     = local.variant
  latency_limit_ms = var.latency_limit_ms
  period_seconds   = var.deployment.alarm_period_seconds
  topic_arn        = var.topic_arn
}

# If this log group does not exist, SageMaker creates it without a retention period and without the KMS key
resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:log_retention_days is set per environment; one year in production
  count = local.count

  name              = "/aws/sagemaker/Endpoints/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_sagemaker_endpoint" "this" {
  count = local.count

  name                 = var.name
  endpoint_config_name = aws_sagemaker_endpoint_configuration.this[0].name

  dynamic "deployment_config" {
    for_each = local.instance_based ? [var.deployment] : []

    content {
      blue_green_update_policy {
        termination_wait_in_seconds          = deployment_config.value.termination_wait_seconds
        maximum_execution_timeout_in_seconds = deployment_config.value.timeout_seconds

        traffic_routing_configuration {
          # a canary is at least one and at most half of the instances, so a single instance allows no canary
          type                     = local.deployed_instances > 1 ? "CANARY" : "ALL_AT_ONCE"
          wait_interval_in_seconds = deployment_config.value.wait_seconds

          dynamic "canary_size" {
            for_each = local.deployed_instances > 1 ? [local.canary_instances] : []

            content {
              type  = "INSTANCE_COUNT"
              value = canary_size.value
            }
          }
        }
      }

      auto_rollback_configuration {
        dynamic "alarms" {
          for_each = module.alarms[0].names

          content {
            alarm_name = alarms.value
          }
        }
      }
    }
  }

  lifecycle {
    # The provider reports an update that SageMaker rolled back as a success. Terraform would then delete the endpoint
    # configuration in use: https://github.com/hashicorp/terraform-provider-aws/issues/48997
    postcondition {
      condition     = self.endpoint_config_name == aws_sagemaker_endpoint_configuration.this[0].name
      error_message = "SageMaker rolled the deployment back: ${self.name} still serves ${self.endpoint_config_name}."
    }
  }

  # the schedule comes first, so that an interrupted apply never leaves an endpoint that no schedule deletes
  depends_on = [aws_cloudwatch_log_group.this, var.expiry_schedule]
}
