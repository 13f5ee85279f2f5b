# Before the first approved model, this module creates only the role.
locals {
  count   = var.model_package_arn == null ? 0 : 1
  version = try(reverse(split("/", var.model_package_arn))[0], null)

  # AWS does not document whether these variables replace those of the model package or are added to them, so the map
  # repeats the two variables that registry/model_registry.py gives a model package. The container returns MODEL_VERSION
  # with each prediction, because the old and the new model share the traffic during a deployment.
  environment = merge(
    {
      SAGEMAKER_PROGRAM          = "inference.py"
      SAGEMAKER_SUBMIT_DIRECTORY = "/opt/ml/model/code"
      MODEL_VERSION              = "v${coalesce(local.version, "0")}"
      # packages that model.tar.gz may contain (training/packages.py); pip ignores a missing folder
      PIP_FIND_LINKS = "/opt/ml/model/code/packages"
    },
    # pip installs only the packages in the archive, because a container in network isolation cannot reach a package
    # index
    var.bundle_packages ? { PIP_NO_INDEX = "1" } : {},
    # one worker, because each worker loads the model, and a serverless endpoint has little memory and must start fast
    var.serverless ? { SAGEMAKER_MODEL_SERVER_WORKERS = "1" } : {},
  )
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

# A unique model name avoids conflicts with the model that a rolled-back deployment leaves behind.
resource "terraform_data" "model" {
  count = local.count

  # the settings that require a new model
  triggers_replace = [var.model_package_arn, module.role.arn, var.network, local.environment]
}

resource "aws_sagemaker_model" "this" {
  #checkov:skip=CKV_AWS_370:network isolation depends on the VPC, which is optional, set per environment
  count = local.count

  name                     = "${var.name}-${local.version}-${substr(terraform_data.model[0].id, 0, 8)}"
  execution_role_arn       = module.role.arn
  enable_network_isolation = var.network != null

  primary_container {
    model_package_name = var.model_package_arn
    environment        = local.environment
  }

  dynamic "vpc_config" {
    for_each = var.network[*]

    content {
      subnets            = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  lifecycle {
    # AWS may add variables. A change of local.environment still replaces the model, because it changes the model's
    # name.
    ignore_changes        = [primary_container[0].environment]
    create_before_destroy = true
  }
}
