data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

locals {
  prefix     = "scones-${var.environment}"
  account_id = data.aws_caller_identity.this.account_id
  partition  = data.aws_partition.this.partition

  # Tags of all resources, and of the jobs that are created outside Terraform
  tags = {
    Project     = "scones"
    Environment = var.environment
    Stack       = local.prefix # unique to this environment, because the budget can filter by one tag only
  }

  data_capture_prefix = "data_capture"
  incoming_prefix     = "incoming" # photographs that drivers upload
  uploads_prefix      = "uploads"  # images of `make classify`
  review_prefix       = "review"   # images that a person must look at
  batch_prefix        = "batch"    # results of batch executions, which contain the keys of photographs
  labels_prefix       = "labels"   # true classes of classified images
  history_prefix      = "history"  # results of earlier runs, time ranges and drift jobs
  image_prefixes      = ["train", "validation", "test", local.incoming_prefix, local.uploads_prefix]
  models_prefix       = "models"
  transform_prefix    = "transform"
  checkpoints_prefix  = "checkpoints"
  packages_prefix     = "packages"
  metrics_namespace   = local.prefix

  # Personal data: drivers' photographs, uploads, review entries, batch results and reviewers' answers
  photo_prefixes = [local.incoming_prefix, local.uploads_prefix, local.review_prefix, local.batch_prefix, "${local.labels_prefix}/answers"]

  approved_model_path = "/scones/${var.environment}/approved-model"
  approved_model      = zipmap(data.aws_ssm_parameters_by_path.approved_model.names, nonsensitive(data.aws_ssm_parameters_by_path.approved_model.values))
  approved_model_arn  = lookup(local.approved_model, "${local.approved_model_path}/model-package-arn", null)

  # The approved model's archive, if it contains a baseline. The parameter `baseline` is written before the parameter
  # with the ARN and is never deleted, so it may describe another model, whose baseline is not used.
  baseline       = try(jsondecode(local.approved_model["${local.approved_model_path}/baseline"]), null)
  baseline_model = try(local.baseline.model_package_arn == local.approved_model_arn && var.capture_percentage > 0, false) ? { version = "v${module.model.version}", data_url = local.baseline.model_data_url } : null

  # A key policy may name only roles that exist. If permissions_boundary is the boundary that terraform/bootstrap
  # creates, the deployment role exists, because terraform/bootstrap creates both.
  bootstrapped        = endswith(coalesce(var.permissions_boundary, "none"), ":policy/scones-boundary-${var.environment}")
  deployment_role_arn = "arn:${local.partition}:iam::${local.account_id}:role/scones-deploy-${var.environment}"

  lifetime_path = "/scones/${var.environment}/endpoint-lifetime"

  # Containers in a VPC cannot reach a package index, and a serverless endpoint must start fast
  bundle_packages = var.bundle_packages || var.vpc_cidr != null || var.serverless != null

  # Composed here, because IAM policies need the name and the ARN before the endpoint exists
  endpoint_name = "${local.prefix}-vehicles"
  endpoint_arn  = "arn:${local.partition}:sagemaker:${var.region}:${local.account_id}:endpoint/${local.endpoint_name}"

  # Subnets and security groups of functions, jobs and the model; null if there is no VPC
  network = one([
    for vpc in module.network : { subnet_ids = vpc.subnet_ids, security_group_ids = vpc.security_group_ids }
  ])
  function_network  = one([for access in module.network_access : merge(local.network, { policy = access.function_policy })])
  container_network = one([for access in module.network_access : merge(local.network, { policy = access.container_policy })])
}

# A Terraform state contains a single environment. Applying another environment's settings to the state would replace
# the resources of the first environment.
resource "terraform_data" "environment" {
  input = var.environment

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.output == var.environment
      error_message = "This state belongs to the environment ${self.output}. Select a separate workspace for ${var.environment}: terraform workspace select -or-create ${var.environment}"
    }
  }
}

# SSM parameters with the ARN of the approved model package and the location of its baseline. None exist before the
# first approval. `make train`, `make approve` and `make rollback` write them.
data "aws_ssm_parameters_by_path" "approved_model" {
  path = local.approved_model_path
}

module "kms_key" {
  source = "./modules/kms_key"

  prefix                  = local.prefix
  deletion_window_in_days = var.protected ? 30 : 7
  administrators          = local.bootstrapped ? [local.deployment_role_arn] : []

  # A list of users must also contain the environment's own roles and its deployment role
  users = var.key_users == null ? null : concat(var.key_users, [
    for role in ["${local.prefix}-*", "scones-deploy-${var.environment}"] :
    "arn:${local.partition}:iam::${local.account_id}:role/${role}"
  ])
}

module "notifications" {
  source = "./modules/notifications"

  prefix      = local.prefix
  email       = var.failure_email
  kms_key_arn = module.kms_key.arn
}

module "storage" {
  source = "./modules/storage"

  bucket_name             = "${local.prefix}-data-${local.account_id}"
  access_logs_bucket_name = "${local.prefix}-access-${local.account_id}"
  table_name              = "${local.prefix}-vehicles"
  drivers_table_name      = "${local.prefix}-drivers"
  photo_prefixes          = local.photo_prefixes
  photo_retention_days    = var.photo_retention_days
  data_capture_prefix     = local.data_capture_prefix
  capture_retention_days  = var.capture_retention_days
  protected               = var.protected
  kms_key_arn             = module.kms_key.arn
}

module "network" {
  source = "./modules/network"
  count  = var.vpc_cidr == null ? 0 : 1

  prefix               = local.prefix
  cidr_block           = var.vpc_cidr
  bucket_arn           = module.storage.bucket_arn
  endpoint_arn         = local.endpoint_arn
  kms_key_arn          = module.kms_key.arn
  log_retention_days   = var.log_retention_days
  reports_drift        = var.drift_schedule != null
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
  archive_directory    = "${path.root}/${var.lambda_archives}"
  bucket_arn           = module.storage.bucket_arn
  image_prefixes       = local.image_prefixes
  batch_prefix         = local.batch_prefix
  endpoint_arn         = local.endpoint_arn
  endpoint_name        = local.endpoint_name
  network              = local.function_network
  classes              = var.classes
  threshold            = var.threshold
  log_retention_days   = var.log_retention_days
  kms_key_arn          = module.kms_key.arn
  permissions_boundary = var.permissions_boundary
}

module "workflow" {
  source = "./modules/workflow"

  prefix               = local.prefix
  environment          = var.environment
  function_arns        = module.functions.arns
  bucket_name          = module.storage.bucket_name
  bucket_arn           = module.storage.bucket_arn
  incoming_prefix      = local.incoming_prefix
  review_prefix        = local.review_prefix
  vehicles_table       = module.storage.table_name
  vehicles_table_arn   = module.storage.table_arn
  drivers_table        = module.storage.drivers_table_name
  drivers_table_arn    = module.storage.drivers_table_arn
  classes              = var.classes
  zones                = var.zones
  photo_retention_days = var.photo_retention_days
  topic_arn            = module.notifications.topic_arn
  metrics_namespace    = local.metrics_namespace
  log_retention_days   = var.log_retention_days
  kms_key_arn          = module.kms_key.arn
  permissions_boundary = var.permissions_boundary
}

module "batch_workflow" {
  source = "./modules/batch_workflow"

  prefix                = local.prefix
  region                = var.region
  function_arns         = module.functions.arns
  bucket_name           = module.storage.bucket_name
  image_prefixes        = local.image_prefixes
  batch_prefix          = local.batch_prefix
  settings              = var.batch
  topic_arn             = module.notifications.topic_arn
  undelivered_queue_arn = module.notifications.undelivered_queue_arn
  log_retention_days    = var.log_retention_days
  kms_key_arn           = module.kms_key.arn
  permissions_boundary  = var.permissions_boundary
}

module "incoming" {
  source = "./modules/incoming"

  prefix                = local.prefix
  bucket_name           = module.storage.bucket_name
  incoming_prefix       = local.incoming_prefix
  state_machine_arn     = module.workflow.state_machine_arn
  dead_letter_queue_arn = module.notifications.undelivered_queue_arn
  permissions_boundary  = var.permissions_boundary
}

# If a driver's vehicle has a class without a zone, the driver is recorded, but dispatch cannot use the record
check "zones" {
  assert {
    condition     = length(setsubtract(var.classes, keys(var.zones))) == 0
    error_message = "zones has no entry for ${join(", ", setsubtract(var.classes, keys(var.zones)))}: vehicles of these classes are recorded with the zone `unassigned`."
  }
}

module "training" {
  source = "./modules/training"

  prefix               = local.prefix
  instance_type        = var.training_instance_type
  bucket_arn           = module.storage.bucket_arn
  models_prefix        = local.models_prefix
  transform_prefix     = local.transform_prefix
  checkpoints_prefix   = local.checkpoints_prefix
  network_policy       = one(local.container_network[*].policy)
  kms_key_arn          = module.kms_key.arn
  permissions_boundary = var.permissions_boundary
}

module "model" {
  source = "./modules/model"

  name                 = local.endpoint_name
  model_package_arn    = local.approved_model_arn
  bucket_arn           = module.storage.bucket_arn
  models_prefix        = local.models_prefix
  data_capture_prefix  = local.data_capture_prefix
  network              = local.container_network
  bundle_packages      = local.bundle_packages
  serverless           = var.serverless != null
  kms_key_arn          = module.kms_key.arn
  permissions_boundary = var.permissions_boundary
}

module "endpoint" {
  source = "./modules/endpoint"

  name               = local.endpoint_name
  model_name         = module.model.name
  model_version      = module.model.version
  data_capture_uri   = "s3://${module.storage.bucket_name}/${local.data_capture_prefix}"
  instance_type      = var.endpoint_instance_type
  instance_count     = var.endpoint_instance_count
  serverless         = var.serverless
  deployment         = var.deployment
  latency_limit_ms   = var.latency_limit_ms
  capture_percentage = var.capture_percentage
  topic_arn          = module.notifications.topic_arn
  log_retention_days = var.log_retention_days
  kms_key_arn        = module.kms_key.arn
  expiry_schedule    = module.cost_control.schedule_name

  max_instance_count  = var.endpoint_max_instance_count
  live_instance_count = var.endpoint_live_instance_count
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

module "data_drift" {
  source = "./modules/data_drift"

  prefix                = local.prefix
  environment           = var.environment
  schedule              = var.drift_schedule
  window_hours          = var.drift_window_hours
  model                 = local.baseline_model
  image                 = module.training.serving_images["pytorch"]
  bucket_name           = module.storage.bucket_name
  bucket_arn            = module.storage.bucket_arn
  models_prefix         = local.models_prefix
  captures_prefix       = "${local.data_capture_prefix}/v${coalesce(module.model.version, "0")}/${local.endpoint_name}/AllTraffic"
  history_prefix        = local.history_prefix
  review_prefix         = local.review_prefix
  namespace             = local.metrics_namespace
  topic_arn             = module.notifications.topic_arn
  undelivered_queue_arn = module.notifications.undelivered_queue_arn
  tags                  = local.tags
  network               = local.container_network
  bundle_packages       = local.bundle_packages
  kms_key_arn           = module.kms_key.arn
  permissions_boundary  = var.permissions_boundary
}

module "cost_control" {
  source = "./modules/cost_control"

  prefix         = local.prefix
  partition      = local.partition
  endpoint_name  = local.endpoint_name
  endpoint_arn   = local.endpoint_arn
  variant_name   = module.endpoint.variant_name
  instance_based = var.serverless == null
  endpoint_hours = var.endpoint_hours
  lifetime_path  = local.lifetime_path
  idle_hours     = var.idle_hours
  budget_usd     = var.budget_usd
  topic_arn      = module.notifications.topic_arn

  deployment_timeout_seconds = var.deployment.timeout_seconds
  permissions_boundary       = var.permissions_boundary
}

module "observability" {
  source = "./modules/observability"

  prefix            = local.prefix
  region            = var.region
  namespace         = local.metrics_namespace
  state_machine_arn = module.workflow.state_machine_arn
  batch_arn         = module.batch_workflow.state_machine_arn
  function_names    = module.functions.names
  filter_log_group  = module.functions.log_groups["filter"]
  endpoint_name     = local.endpoint_name
  threshold         = var.threshold
  topic_arn         = module.notifications.topic_arn
  environment       = var.environment

  incoming_rule_name     = module.incoming.rule_name
  undelivered_queue_arn  = module.notifications.undelivered_queue_arn
  undelivered_queue_name = module.notifications.undelivered_queue_name
}
