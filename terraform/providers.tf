# Where AWS answers comes from the environment (AWS_ENDPOINT_URL, AWS_PROFILE, ...), so this block serves any.
provider "aws" {
  region                  = var.region
  max_retries             = var.provider_max_retries
  s3_use_path_style       = var.provider_path_style
  skip_metadata_api_check = var.provider_path_style

  default_tags {
    tags = merge(local.tags, { ManagedBy = "terraform" })
  }
}
