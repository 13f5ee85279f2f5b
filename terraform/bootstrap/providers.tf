provider "aws" {
  region                  = var.region
  s3_use_path_style       = var.provider_path_style
  skip_metadata_api_check = var.provider_path_style

  default_tags {
    tags = {
      Project     = "scones"
      Environment = "state" # IAM policies select KMS keys by this tag, so its value must not be an environment's name
      ManagedBy   = "terraform/bootstrap"
    }
  }
}
