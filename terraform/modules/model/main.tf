# All of it but the role is there from the first approved model on.
locals {
  count   = var.model_package_arn == null ? 0 : 1
  version = try(reverse(split("/", var.model_package_arn))[0], null)
}

module "role" {
  source = "../role"

  name                 = "${var.name}-hosting"
  bucket_arn           = var.bucket_arn
  read_keys            = ["${var.models_key}/*"]
  write_keys           = [var.data_capture_key]
  kms_key_arn          = var.kms_key_arn
  lends_key            = true # for the volumes of the instances that it runs on
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
