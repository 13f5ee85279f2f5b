# All of it is there from the first approved model on.
locals {
  count   = var.model_package_arn == null ? 0 : 1
  version = try(reverse(split("/", var.model_package_arn))[0], "")

  # Traffic moves step by step only between variants of one name:
  # https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-exclusions.html
  variant = "AllTraffic"

  # Disks of their own are encrypted by the instances, and a key for them is refused:
  # https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html
  has_own_disk   = can(regex("^ml\\.([a-z]+[0-9]+[a-z]*d[a-z]*|g4dn|g5|g6|p4d|p5|trn1|inf2)\\.", var.instance_type))
  volume_key_arn = local.has_own_disk ? null : var.kms_key_arn

  # Deployment guardrails are for endpoints on instances:
  # https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails.html
  on_instances = var.serverless == null
}

module "role" {
  source = "../role"

  name                 = "${var.name}-hosting"
  bucket_arn           = var.bucket_arn
  read_keys            = ["${var.models_key}/*"]
  write_keys           = [var.data_capture_key]
  kms_key_arn          = var.kms_key_arn
  lends_key            = local.volume_key_arn != null
  log_groups           = ["Endpoints/${var.name}"]
  watched_alarms       = ["${var.name}-*"]
  repositories         = ["pytorch-inference", "image-classification"]
  network_policy       = one(var.network[*].policy)
  permissions_boundary = var.permissions_boundary
}

# Models and configurations get unique names: what a rolled back deployment leaves behind is in nobody's way.
resource "terraform_data" "model" {
  count = local.count

  triggers_replace = [var.model_package_arn, module.role.arn, var.network] # all that makes another model
}

resource "aws_sagemaker_model" "this" {
  #checkov:skip=CKV_AWS_370:whether its container is cut off from the network is the environment's setting
  count = local.count

  name                     = "${var.name}-${local.version}-${substr(terraform_data.model[0].id, 0, 8)}"
  execution_role_arn       = module.role.arn
  enable_network_isolation = var.network != null

  primary_container {
    model_package_name = var.model_package_arn
    # with each answer the model says its version: while an endpoint is updated, old and new answer in turn
    environment = { MODEL_VERSION = "v${local.version}" }
  }

  dynamic "vpc_config" {
    for_each = var.network[*]

    content {
      subnets            = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_sagemaker_endpoint_configuration" "this" {
  count = local.count

  name_prefix = "${var.name}-${local.version}-"
  kms_key_arn = local.on_instances ? local.volume_key_arn : null

  production_variants {
    variant_name           = local.variant
    model_name             = aws_sagemaker_model.this[0].name
    instance_type          = local.on_instances ? var.instance_type : null
    initial_instance_count = local.on_instances ? var.instance_count : null
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
    for_each = var.sampling_percentage > 0 ? [true] : []

    content {
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
  }

  lifecycle {
    create_before_destroy = true
  }
}

module "alarms" {
  source = "../alarms"
  count  = local.on_instances ? local.count : 0

  endpoint_name    = var.name
  variant_name     = local.variant
  latency_limit_ms = var.latency_limit_ms
  period_seconds   = var.deployment.alarm_period_seconds
}

resource "aws_sagemaker_endpoint" "this" {
  count = local.count

  name                 = var.name
  endpoint_config_name = aws_sagemaker_endpoint_configuration.this[0].name

  dynamic "deployment_config" {
    for_each = local.on_instances ? [var.deployment] : []

    content {
      blue_green_update_policy {
        termination_wait_in_seconds          = deployment_config.value.termination_wait_seconds
        maximum_execution_timeout_in_seconds = deployment_config.value.timeout_seconds

        traffic_routing_configuration {
          # half of an instance takes no traffic
          type                     = var.instance_count > 1 ? "CANARY" : "ALL_AT_ONCE"
          wait_interval_in_seconds = deployment_config.value.wait_seconds

          dynamic "canary_size" {
            for_each = var.instance_count > 1 ? [deployment_config.value.canary_percent] : []

            content {
              type  = "CAPACITY_PERCENT"
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
    # The provider takes an update that SageMaker rolled back for a success, and the configuration that still
    # answers would be deleted next: https://github.com/hashicorp/terraform-provider-aws/issues/48997
    postcondition {
      condition     = self.endpoint_config_name == aws_sagemaker_endpoint_configuration.this[0].name
      error_message = "SageMaker rolled the deployment back: ${self.name} serves ${self.endpoint_config_name} as before."
    }
  }
}

resource "aws_appautoscaling_target" "this" {
  count = local.on_instances && var.max_instance_count != null ? local.count : 0

  service_namespace  = "sagemaker"
  resource_id        = "endpoint/${aws_sagemaker_endpoint.this[0].name}/variant/${local.variant}"
  scalable_dimension = "sagemaker:variant:DesiredInstanceCount"
  min_capacity       = var.instance_count
  max_capacity       = var.max_instance_count
}

resource "aws_appautoscaling_policy" "this" {
  count = length(aws_appautoscaling_target.this)

  name               = "${var.name}-concurrency"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[0].service_namespace
  resource_id        = aws_appautoscaling_target.this[0].resource_id
  scalable_dimension = aws_appautoscaling_target.this[0].scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = var.concurrent_requests
    scale_in_cooldown  = 300
    scale_out_cooldown = 60

    predefined_metric_specification {
      predefined_metric_type = "SageMakerVariantConcurrentRequestsPerModelHighResolution"
    }
  }
}
