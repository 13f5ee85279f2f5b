output "role_arn" {
  description = "ARN of the execution role of training jobs."
  value       = module.role.arn
}

output "transform_role_arn" {
  description = "ARN of the execution role of batch transform jobs."
  value       = module.transform_role.arn
}

output "training_images" {
  description = "Training container image of each algorithm."
  value = {
    pytorch              = data.aws_sagemaker_prebuilt_ecr_image.training.registry_path
    image-classification = data.aws_sagemaker_prebuilt_ecr_image.built_in.registry_path
  }
}

output "serving_images" {
  description = "Inference container image of each algorithm."
  value = {
    pytorch              = data.aws_sagemaker_prebuilt_ecr_image.serving.registry_path
    image-classification = data.aws_sagemaker_prebuilt_ecr_image.built_in.registry_path
  }
}

output "model_package_group" {
  description = "Name of the model package group."
  value       = aws_sagemaker_model_package_group.this.model_package_group_name
}
