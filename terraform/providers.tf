# Environment variables such as AWS_PROFILE and AWS_ENDPOINT_URL select the account and the AWS endpoint, so every
# environment uses this provider block.
provider "aws" {
  region                  = var.region
  max_retries             = var.provider_max_retries
  s3_use_path_style       = var.provider_path_style
  skip_metadata_api_check = var.provider_path_style

  default_tags {
    tags = merge(local.tags, { ManagedBy = "terraform" })
  }
}
