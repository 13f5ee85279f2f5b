# PyTorch 2.10 is the newest version in AWS's repository pytorch-training. AWS patches it until 2027-01-21:
# https://aws.github.io/deep-learning-containers/reference/support_policy
# NVIDIA GPU instances need a separate image: https://aws.github.io/deep-learning-containers/reference/available_images/
locals {
  processor = can(regex("^ml\\.[gp]r?[0-9]", var.instance_type)) ? "gpu" : "cpu"
}

# These data sources find the AWS account that hosts the container images in this region
data "aws_sagemaker_prebuilt_ecr_image" "training" {
  repository_name = "pytorch-training"
  image_tag       = "2.10-${local.processor}-py313"
}

# PyTorch 2.6 is the last version whose inference image contains a model server. It can serve models that a newer
# PyTorch trained, because the model is an ONNX file. Inference runs on CPU instances, even for a model that was trained
# on a GPU.
data "aws_sagemaker_prebuilt_ecr_image" "serving" {
  repository_name = "pytorch-inference"
  image_tag       = "2.6-cpu-py312"
}

data "aws_sagemaker_prebuilt_ecr_image" "built_in" {
  repository_name = "image-classification"
  image_tag       = "1"
}

module "role" {
  source = "../sagemaker_role"

  name                 = "${var.prefix}-training"
  bucket_arn           = var.bucket_arn
  readable_keys        = ["*"]
  writable_prefixes    = [var.models_prefix, var.checkpoints_prefix]
  kms_key_arn          = var.kms_key_arn
  log_groups           = ["TrainingJobs"]
  network_policy       = var.network_policy
  permissions_boundary = var.permissions_boundary

  repositories = [
    for image in [data.aws_sagemaker_prebuilt_ecr_image.training, data.aws_sagemaker_prebuilt_ecr_image.built_in] :
    image.repository_name
  ]
}

# A separate role, so that a batch transform job cannot overwrite models
module "transform_role" {
  source = "../sagemaker_role"

  name                 = "${var.prefix}-transform"
  bucket_arn           = var.bucket_arn
  readable_keys        = ["*"]
  writable_prefixes    = [var.transform_prefix]
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
  model_package_group_description = "Vehicle classifiers, one version per training job."
}
