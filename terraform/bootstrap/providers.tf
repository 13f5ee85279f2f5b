provider "aws" {
  region                  = var.region
  s3_use_path_style       = var.provider_path_style
  skip_metadata_api_check = var.provider_path_style

  default_tags {
    tags = {
      Project     = "scones"
      Environment = "state" # so that no environment's role takes the state's key for its own
      ManagedBy   = "terraform/bootstrap"
    }
  }
}
