output "environment" {
  description = "Name of the environment."
  value       = terraform_data.environment.output
}

output "region" {
  description = "AWS region."
  value       = var.region
}

output "bucket" {
  description = "Bucket of images, models and captured data."
  value       = module.storage.bucket_name
}

output "protected" {
  description = "Whether data is protected from destruction."
  value       = var.protected
}

output "kms_key_arn" {
  description = "Key that encrypts what jobs write."
  value       = module.keys.arn
}

output "tags" {
  description = "Tags of all that is this environment's, which jobs are given as they start."
  value       = local.tags
}

output "training_role_arn" {
  description = "Role that training jobs run under."
  value       = module.training.role_arn
}

output "transform_role_arn" {
  description = "Role that batch transform jobs run under."
  value       = module.training.transform_role_arn
}

output "training_images" {
  description = "Container image of each algorithm's training jobs."
  value       = module.training.training_images
}

output "serving_images" {
  description = "Container image that serves each algorithm's models."
  value       = module.training.serving_images
}

output "training_instance_types" {
  description = "Instance type of each algorithm's training jobs."
  value = {
    pytorch              = var.training_instance_type
    image-classification = var.built_in_instance_type
  }
}

output "training_instance_count" {
  description = "Hosts of a training job."
  value       = var.training_instance_count
}

output "training_spot" {
  description = "Whether training jobs run on spot instances."
  value       = var.training_spot
}

output "network" {
  description = "Subnets and security groups of jobs and models, whose containers are then cut off from any network; null for none."
  value       = local.network
}

output "transform_instance_type" {
  description = "Instance type of batch transform jobs: the endpoint's, as the same model server runs there."
  value       = var.endpoint_instance_type
}

output "model_package_group" {
  description = "Group in which models are registered."
  value       = module.training.model_package_group
}

output "approved_model_path" {
  description = "SSM path below which the approved model's package stands, as model-package-arn."
  value       = local.approved_path
}

output "approval" {
  description = "Who approves a model that passed the judge: automatic or manual."
  value       = var.approval
}

output "minimum_accuracy" {
  description = "Accuracy on the validation rows below which no model is approved."
  value       = var.minimum_accuracy
}

output "classes" {
  description = "Class names; a class's number is its position."
  value       = var.classes
}

output "threshold" {
  description = "Probability that the best class must reach."
  value       = var.threshold
}

output "state_machine_arn" {
  description = "State machine that classifies one image an execution."
  value       = module.workflow.state_machine_arn
}

output "endpoint_name" {
  description = "Name of the endpoint, which exists from the first approved model on."
  value       = local.endpoint_name
}

output "endpoint_config_name" {
  description = "Configuration that the endpoint must serve; null before the first approved model."
  value       = module.endpoint.config_name
}

output "endpoint_schedule" {
  description = "Schedule that ends the endpoint's time to live; null where nothing does."
  value       = module.guard.schedule_name
}

output "data_capture_uri" {
  description = "Where the endpoint's captured data lands."
  value       = "s3://${module.storage.bucket_name}/${local.data_capture_key}"
}

output "captures" {
  description = "Whether the endpoint captures data."
  value       = var.capture_percentage > 0
}

output "failures_topic_arn" {
  description = "Topic that is told of failed executions."
  value       = module.notices.topic_arn
}

output "vehicles_table" {
  description = "Table of classified vehicles."
  value       = module.storage.table_name
}
