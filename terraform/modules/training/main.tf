# Instances with NVIDIA's GPUs have an image of their own: https://aws.github.io/deep-learning-containers/reference/available_images/
locals {
  processor = can(regex("^ml\\.[gp]r?[0-9]", var.instance_type)) ? "gpu" : "cpu"
}

# AWS's own containers, whose registry's account differs from region to region
data "aws_sagemaker_prebuilt_ecr_image" "training" {
  repository_name = "pytorch-training"
  image_tag       = "2.6-${local.processor}-py312"
}

# The model answers on processors, also where it was trained on a GPU
data "aws_sagemaker_prebuilt_ecr_image" "serving" {
  repository_name = "pytorch-inference"
  image_tag       = "2.6-cpu-py312"
}

data "aws_sagemaker_prebuilt_ecr_image" "built_in" {
  repository_name = "image-classification"
  image_tag       = "1"
}

module "role" {
  source = "../role"

  name                 = "${var.prefix}-training"
  bucket_arn           = var.bucket_arn
  read_keys            = ["*"]
  write_keys           = [var.models_key, var.checkpoints_key]
  kms_key_arn          = var.kms_key_arn
  log_groups           = ["TrainingJobs"]
  network_policy       = var.network_policy
  permissions_boundary = var.permissions_boundary

  repositories = [
    for image in [data.aws_sagemaker_prebuilt_ecr_image.training, data.aws_sagemaker_prebuilt_ecr_image.built_in] :
    image.repository_name
  ]
}

# A model that answers for a folder of images must not be able to change a model
module "transform_role" {
  source = "../role"

  name                 = "${var.prefix}-transform"
  bucket_arn           = var.bucket_arn
  read_keys            = ["*"]
  write_keys           = [var.transform_key]
  kms_key_arn          = var.kms_key_arn
  log_groups           = ["TransformJobs"]
  network_policy       = var.network_policy
  permissions_boundary = var.permissions_boundary

  repositories = [
    for image in [data.aws_sagemaker_prebuilt_ecr_image.serving, data.aws_sagemaker_prebuilt_ecr_image.built_in] :
    image.repository_name
  ]
}

resource "aws_sagemaker_model_package_group" "this" {
  model_package_group_name        = "${var.prefix}-vehicles"
  model_package_group_description = "Vehicle classifiers, one version a training job."
}
