# Only the role exists before the first approved model.
locals {
  count   = var.model_package_arn == null ? 0 : 1
  version = try(reverse(split("/", var.model_package_arn))[0], null)
}

module "role" {
  source = "../sagemaker_role"

  name                 = "${var.name}-hosting"
  bucket_arn           = var.bucket_arn
  readable_keys        = ["${var.models_prefix}/*"]
  writable_prefixes    = [var.data_capture_prefix]
  kms_key_arn          = var.kms_key_arn
  encrypts_volumes     = true
  log_groups           = ["Endpoints/${var.name}"]
  watched_alarms       = ["${var.name}-*"]
  repositories         = ["pytorch-inference", "image-classification"]
  network_policy       = one(var.network[*].policy)
  permissions_boundary = var.permissions_boundary
}

# A unique model name avoids conflicts with the model that a rolled back deployment leaves behind.
resource "terraform_data" "model" {
  count = local.count

  triggers_replace = [var.model_package_arn, module.role.arn, var.network] # the settings that require a new model
}

resource "aws_sagemaker_model" "this" {
  #checkov:skip=CKV_AWS_370:network isolation depends on the VPC, which is optional, set per environment
  count = local.count

  name                     = "${var.name}-${local.version}-${substr(terraform_data.model[0].id, 0, 8)}"
  execution_role_arn       = module.role.arn
  enable_network_isolation = var.network != null

  primary_container {
    model_package_name = var.model_package_arn
    # the model returns its version with each prediction, because old and new models share the traffic during a deployment
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
