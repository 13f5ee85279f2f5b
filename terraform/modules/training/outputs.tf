output "role_arn" {
  description = "Role that training jobs run under."
  value       = module.role.arn
}

output "transform_role_arn" {
  description = "Role that batch transform jobs run under."
  value       = module.transform_role.arn
}

output "training_images" {
  description = "Container image of each algorithm's training jobs."
  value = {
    pytorch              = data.aws_sagemaker_prebuilt_ecr_image.training.registry_path
    image-classification = data.aws_sagemaker_prebuilt_ecr_image.built_in.registry_path
  }
}

output "serving_images" {
  description = "Container image that serves each algorithm's models."
  value = {
    pytorch              = data.aws_sagemaker_prebuilt_ecr_image.serving.registry_path
    image-classification = data.aws_sagemaker_prebuilt_ecr_image.built_in.registry_path
  }
}

output "model_package_group" {
  description = "Group in which models are registered."
  value       = aws_sagemaker_model_package_group.this.model_package_group_name
}
