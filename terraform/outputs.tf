output "environment" {
  description = "Environment name."
  value       = terraform_data.environment.output
}

output "region" {
  description = "AWS region."
  value       = var.region
}

output "bucket" {
  description = "Name of the S3 bucket that contains images, models and captured data."
  value       = module.storage.bucket_name
}

output "models_prefix" {
  description = "Key prefix of the models that training jobs write."
  value       = local.models_prefix
}

output "checkpoints_prefix" {
  description = "Key prefix of the checkpoints of training jobs."
  value       = local.checkpoints_prefix
}

output "packages_prefix" {
  description = "Key prefix of the Python packages that training jobs and models contain."
  value       = local.packages_prefix
}

output "bundle_packages" {
  description = "Whether training jobs and models contain their Python packages."
  value       = local.bundle_packages
}

output "transform_prefix" {
  description = "Key prefix of the results of batch transform jobs."
  value       = local.transform_prefix
}

output "protected" {
  description = "Whether `terraform destroy` keeps the DynamoDB tables and a data bucket that is not empty."
  value       = var.protected
}

output "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the environment's data and the results of jobs."
  value       = module.kms_key.arn
}

output "tags" {
  description = "Tags of every resource of the environment, and of the jobs that are created outside Terraform."
  value       = local.tags
}

output "training_role_arn" {
  description = "ARN of the execution role of training jobs."
  value       = module.training.role_arn
}

output "transform_role_arn" {
  description = "ARN of the execution role of batch transform jobs."
  value       = module.training.transform_role_arn
}

output "training_images" {
  description = "Training container image of each algorithm."
  value       = module.training.training_images
}

output "serving_images" {
  description = "Inference container image of each algorithm."
  value       = module.training.serving_images
}

output "training_job_prefix" {
  description = "Prefix of the names of training jobs, without the dash that follows it."
  value       = "${local.prefix}-vehicles"
}

output "transform_job_prefix" {
  description = "Prefix of the names of batch transform jobs and their models, without the dash that follows it."
  value       = "${local.prefix}-transform"
}

output "training_instance_types" {
  description = "Training instance type of each algorithm."
  value = {
    pytorch              = var.training_instance_type
    image-classification = var.built_in_instance_type
  }
}

output "training_instance_count" {
  description = "Number of instances of a training job."
  value       = var.training_instance_count
}

output "training_spot" {
  description = "Whether training jobs run on spot instances."
  value       = var.training_spot
}

output "network" {
  description = "IDs of the VPC subnets and security groups of jobs and models, which then run in network isolation; null if there is no VPC."
  value       = local.network
}

output "transform_instance_type" {
  description = "Instance type of batch transform jobs. It is the endpoint's, because both run the same model server."
  value       = var.endpoint_instance_type
}

output "model_package_group" {
  description = "Name of the model package group in which models are registered."
  value       = module.training.model_package_group
}

output "approved_model_path" {
  description = "SSM parameter path below which the parameter `model-package-arn` contains the ARN of the approved model package."
  value       = local.approved_model_path
}

output "approval" {
  description = "How a model that passed the quality gate is approved: automatic or manual."
  value       = var.approval
}

output "minimum_accuracy" {
  description = "Minimum accuracy on the validation set. The quality gate rejects models with a lower accuracy."
  value       = var.minimum_accuracy
}

output "classes" {
  description = "Class names in the order of the class index."
  value       = var.classes
}

output "threshold" {
  description = "Minimum confidence. Executions with a lower confidence fail."
  value       = var.threshold
}

output "state_machine_arn" {
  description = "ARN of the state machine that classifies one image per execution."
  value       = module.workflow.state_machine_arn
}

output "batch_state_machine_arn" {
  description = "ARN of the state machine that classifies many images per execution."
  value       = module.batch_workflow.state_machine_arn
}

output "batch_prefix" {
  description = "Key prefix of the results of batch executions, and of manifests below `manifests/`."
  value       = local.batch_prefix
}

output "image_prefixes" {
  description = "Key prefixes of the images that the state machines may read."
  value       = local.image_prefixes
}

output "function_code_sha256" {
  description = "Base64-encoded SHA-256 of the code that Terraform deployed, by function name."
  value       = module.functions.code_sha256
}

output "endpoint_name" {
  description = "Name of the endpoint, which exists once a model is approved and deployed."
  value       = local.endpoint_name
}

output "endpoint_config_name" {
  description = "Name of the endpoint configuration that the endpoint must serve; null before the first approved model."
  value       = module.endpoint.config_name
}

output "endpoint_schedule" {
  description = "Name of the schedule that deletes the endpoint; null if there is no endpoint or endpoint_hours is null."
  value       = module.cost_control.schedule_name
}

output "endpoint_lifetime_parameter" {
  description = "Name of the SSM parameter with the start and end of the endpoint's lifetime; null if there is no endpoint or endpoint_hours is null."
  value       = module.cost_control.lifetime_parameter
}

output "data_capture_uri" {
  description = "S3 URI of the endpoint's captured data."
  value       = "s3://${module.storage.bucket_name}/${local.data_capture_prefix}"
}

output "data_capture_enabled" {
  description = "Whether the endpoint captures data."
  value       = var.capture_percentage > 0
}

output "failures_topic_arn" {
  description = "ARN of the SNS topic for failed executions, alarms and the budget."
  value       = module.notifications.topic_arn
}

output "vehicles_table" {
  description = "Name of the DynamoDB table of classified vehicles."
  value       = module.storage.table_name
}

output "drivers_table" {
  description = "Name of the DynamoDB table of drivers."
  value       = module.storage.drivers_table_name
}

output "incoming_prefix" {
  description = "Key prefix of drivers' photographs. A key continues with the driver's name and a file name."
  value       = local.incoming_prefix
}

output "uploads_prefix" {
  description = "Key prefix of the images that `make classify` uploads."
  value       = local.uploads_prefix
}

output "review_prefix" {
  description = "Key prefix of images that a person must look at."
  value       = local.review_prefix
}

output "labels_prefix" {
  description = "Key prefix of the true classes of classified images."
  value       = local.labels_prefix
}

output "history_prefix" {
  description = "Key prefix of the results of earlier runs, time ranges and drift jobs."
  value       = local.history_prefix
}

output "undelivered_queue_url" {
  description = "URL of the SQS queue for events that EventBridge cannot deliver."
  value       = module.notifications.undelivered_queue_url
}

output "drift_job" {
  description = "JSON request of CreateProcessingJob that starts a drift job; null if drift_schedule is null or the approved model has no baseline."
  value       = module.data_drift.request
}
