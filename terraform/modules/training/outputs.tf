output "role_arn" {
  description = "Role that training and batch transform jobs run under."
  value       = aws_iam_role.this.arn
}

output "training_image" {
  description = "Container image of training jobs."
  value       = data.aws_sagemaker_prebuilt_ecr_image.training.registry_path
}

output "serving_image" {
  description = "Container image of the model server."
  value       = data.aws_sagemaker_prebuilt_ecr_image.serving.registry_path
}

output "model_package_group" {
  description = "Group in which models are registered."
  value       = aws_sagemaker_model_package_group.this.model_package_group_name
}
