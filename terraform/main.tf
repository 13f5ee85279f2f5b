data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

locals {
  prefix     = "scones-${var.environment}"
  account_id = data.aws_caller_identity.this.account_id
  partition  = data.aws_partition.this.partition

  # Jobs bear them too
  tags = {
    Project     = "scones"
    Environment = var.environment
    Stack       = local.prefix # one tag that is this environment's alone, as a budget filters by one
  }

  # Known before they exist, so that roles can name them without a cycle
  endpoint_name      = "${local.prefix}-vehicles"
  approved_path      = "/scones/${var.environment}/approved-model"
  data_capture_key   = "data_capture"
  image_keys         = ["train", "validation", "test"]
  models_key         = "models"
  metrics_namespace  = local.prefix
  transform_key      = "transform"
  checkpoints_key    = "checkpoints"
  approved_arns      = nonsensitive(data.aws_ssm_parameters_by_path.approved.values)
  approved_model_arn = one(local.approved_arns)
  endpoint_arn       = "arn:${local.partition}:sagemaker:${var.region}:${local.account_id}:endpoint/${local.endpoint_name}"

  # Where functions, jobs and the model run; null where there is no VPC
  network = one([
    for vpc in module.network : { subnet_ids = vpc.subnet_ids, security_group_ids = vpc.security_group_ids }
  ])
  function_network  = one([for access in module.network_access : merge(local.network, { policy = access.function_policy })])
  container_network = one([for access in module.network_access : merge(local.network, { policy = access.container_policy })])
}

# One state holds one environment: applying another's file here would replace this one's resources.
resource "terraform_data" "environment" {
  input = var.environment

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.output == var.environment
      error_message = "This state holds the environment ${self.output}. Give ${var.environment} a workspace of its own: terraform workspace select -or-create ${var.environment}"
    }
  }
}

# The approved model, written by `make train` or `make approve`; nothing before the first.
data "aws_ssm_parameters_by_path" "approved" {
  path = local.approved_path
}

module "keys" {
  source = "./modules/keys"

  prefix                  = local.prefix
  deletion_window_in_days = var.protected ? 30 : 7

  # the environment's own roles, and the one that deploys it from GitHub, use it in any case
  users = var.key_users == null ? null : concat(var.key_users, [
    for role in ["${local.prefix}-*", "scones-deploy-${var.environment}"] :
    "arn:${local.partition}:iam::${local.account_id}:role/${role}"
  ])
}

module "notices" {
  source = "./modules/notices"

  prefix      = local.prefix
  email       = var.failure_email
  kms_key_arn = module.keys.arn
}

module "storage" {
  source = "./modules/storage"

  bucket_name             = "${local.prefix}-data-${local.account_id}"
  access_logs_bucket_name = "${local.prefix}-access-${local.account_id}"
  table_name              = "${local.prefix}-vehicles"
  data_capture_key        = local.data_capture_key
  capture_retention_days  = var.capture_retention_days
  protected               = var.protected
  kms_key_arn             = module.keys.arn
}

module "network" {
  source = "./modules/network"
  count  = var.vpc_cidr == null ? 0 : 1

  prefix               = local.prefix
  cidr_block           = var.vpc_cidr
  bucket_arn           = module.storage.bucket_arn
  endpoint_arn         = local.endpoint_arn
  kms_key_arn          = module.keys.arn
  log_retention_days   = var.log_retention_days
  permissions_boundary = var.permissions_boundary
}

module "network_access" {
  source = "./modules/network_access"
  count  = length(module.network)

  subnet_ids         = local.network.subnet_ids
  security_group_ids = local.network.security_group_ids
}

module "functions" {
  source = "./modules/functions"

  prefix               = local.prefix
  archives             = "${path.root}/${var.lambda_archives}"
  bucket_arn           = module.storage.bucket_arn
  image_keys           = local.image_keys
  endpoint_arn         = local.endpoint_arn
  endpoint_name        = local.endpoint_name
  network              = local.function_network
  classes              = var.classes
  threshold            = var.threshold
  log_retention_days   = var.log_retention_days
  kms_key_arn          = module.keys.arn
  permissions_boundary = var.permissions_boundary
}

module "workflow" {
  source = "./modules/workflow"

  prefix               = local.prefix
  function_arns        = module.functions.arns
  table_arn            = module.storage.table_arn
  table_name           = module.storage.table_name
  topic_arn            = module.notices.topic_arn
  metrics_namespace    = local.metrics_namespace
  log_retention_days   = var.log_retention_days
  kms_key_arn          = module.keys.arn
  permissions_boundary = var.permissions_boundary
}

module "training" {
  source = "./modules/training"

  prefix               = local.prefix
  instance_type        = var.training_instance_type
  bucket_arn           = module.storage.bucket_arn
  models_key           = local.models_key
  transform_key        = local.transform_key
  checkpoints_key      = local.checkpoints_key
  network_policy       = one(local.container_network[*].policy)
  kms_key_arn          = module.keys.arn
  permissions_boundary = var.permissions_boundary
}

module "model" {
  source = "./modules/model"

  name                 = local.endpoint_name
  model_package_arn    = local.approved_model_arn
  bucket_arn           = module.storage.bucket_arn
  models_key           = local.models_key
  data_capture_key     = local.data_capture_key
  network              = local.container_network
  kms_key_arn          = module.keys.arn
  permissions_boundary = var.permissions_boundary
}

module "endpoint" {
  source = "./modules/endpoint"

  name                = local.endpoint_name
  model_name          = module.model.name
  model_version       = module.model.version
  data_capture_uri    = "s3://${module.storage.bucket_name}/${local.data_capture_key}"
  instance_type       = var.endpoint_instance_type
  instance_count      = var.endpoint_instance_count
  serverless          = var.serverless
  deployment          = var.deployment
  latency_limit_ms    = var.latency_limit_ms
  sampling_percentage = var.capture_percentage
  topic_arn           = module.notices.topic_arn
  log_retention_days  = var.log_retention_days
  kms_key_arn         = module.keys.arn
}

module "scaling" {
  source = "./modules/scaling"

  endpoint_name       = module.endpoint.name
  variant_name        = module.endpoint.variant_name
  instance_type       = var.endpoint_instance_type
  instance_count      = var.endpoint_instance_count
  max_instance_count  = var.endpoint_max_instance_count
  concurrent_requests = var.endpoint_concurrent_requests
}

module "guard" {
  source = "./modules/guard"

  prefix         = local.prefix
  partition      = local.partition
  endpoint_name  = local.endpoint_name
  endpoint_arn   = module.endpoint.arn
  variant_name   = module.endpoint.variant_name
  on_instances   = var.serverless == null
  endpoint_hours = var.endpoint_hours
  idle_hours     = var.idle_hours
  budget_usd     = var.budget_usd
  topic_arn      = module.notices.topic_arn

  permissions_boundary = var.permissions_boundary
}

module "observability" {
  source = "./modules/observability"

  prefix            = local.prefix
  region            = var.region
  namespace         = local.metrics_namespace
  state_machine_arn = module.workflow.state_machine_arn
  function_names    = module.functions.names
  filter_log_group  = module.functions.log_groups["filter"]
  endpoint_name     = local.endpoint_name
  threshold         = var.threshold
  topic_arn         = module.notices.topic_arn
}
