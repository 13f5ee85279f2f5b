# The environment variables AWS_PROFILE, AWS_ENDPOINT_URL and so on select the account and the AWS endpoint, so that one
# provider block serves every environment.
provider "aws" {
  region                  = var.region
  max_retries             = var.provider_max_retries
  s3_use_path_style       = var.provider_path_style
  skip_metadata_api_check = var.provider_path_style

  default_tags {
    tags = merge(local.tags, { ManagedBy = "terraform" })
  }
}
