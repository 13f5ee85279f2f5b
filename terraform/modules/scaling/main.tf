locals {
  # No endpoint (variant_name is null) or no maximum: no scaling
  count = var.variant_name == null || var.max_instance_count == null ? 0 : 1
}

# SageMaker rejects a change of the instance type while the variant is a scalable target. Terraform therefore
# deregisters the target before such a change and registers it again afterwards:
# https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-scaling-update.html
resource "terraform_data" "instance_type" {
  input = var.instance_type
}

resource "aws_appautoscaling_target" "this" {
  count = local.count

  service_namespace  = "sagemaker"
  resource_id        = "endpoint/${var.endpoint_name}/variant/${var.variant_name}"
  scalable_dimension = "sagemaker:variant:DesiredInstanceCount"
  min_capacity       = var.instance_count
  max_capacity       = var.max_instance_count

  lifecycle {
    replace_triggered_by = [terraform_data.instance_type]
  }
}

resource "aws_appautoscaling_policy" "this" {
  count = local.count

  name               = "${var.endpoint_name}-concurrency"
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

  lifecycle {
    replace_triggered_by = [terraform_data.instance_type]
  }
}
