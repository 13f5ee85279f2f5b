data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

locals {
  account_id = data.aws_caller_identity.this.account_id
  arn_prefix = "arn:${data.aws_partition.this.partition}"
  issuer     = "token.actions.githubusercontent.com"

  # An account can have only one OpenID Connect provider per issuer, so an existing provider is used
  provider_arn = coalesce(var.oidc_provider_arn, one(aws_iam_openid_connect_provider.this[*].arn))

  main_ref = "refs/heads/main"
  subject  = "repo:${var.repository}"
}

module "kms_key" {
  source = "../modules/kms_key"

  prefix                  = "scones-state"
  deletion_window_in_days = 30
}

# The bucket has one Terraform state object per environment, and one for this module. The backend locks each object with
# `use_lockfile`, so no DynamoDB table is needed. Old object versions never expire: they are small, and a lost state can
# be restored from them.
module "state" {
  source = "../modules/bucket"

  name        = "scones-state-${local.account_id}"
  kms_key_arn = module.kms_key.arn
}

# AWS verifies GitHub's certificate with its own trust store and needs no thumbprint:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html
resource "aws_iam_openid_connect_provider" "this" {
  count = var.oidc_provider_arn == null ? 1 : 0

  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

# GitHub workflows of this repository may assume an environment's deployment role only on the branch main, and the plan
# role on main and for pull requests. A condition can test GitHub's claim `ref`: https://aws.amazon.com/about-aws/whats-new/2026/01/aws-sts-supports-validation-identity-provider-claims/
data "aws_iam_policy_document" "assume" {
  for_each = merge(
    { for name in var.environments : name => { sub = ["${local.subject}:environment:${name}"], ref = [local.main_ref] } },
    { plan = { sub = ["${local.subject}:pull_request", "${local.subject}:ref:${local.main_ref}"] } },
  )

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.provider_arn]
    }

    dynamic "condition" {
      for_each = merge({ aud = ["sts.amazonaws.com"] }, each.value)

      content {
        test     = "StringEquals"
        variable = "${local.issuer}:${condition.key}"
        values   = condition.value
      }
    }
  }
}

resource "aws_iam_role" "deploy" {
  for_each = var.environments

  name                 = "scones-deploy-${each.key}"
  description          = "Deploys the environment ${each.key} from ${var.repository}."
  assume_role_policy   = data.aws_iam_policy_document.assume[each.key].json
  max_session_duration = 7200
}

resource "aws_iam_role_policy" "deploy" {
  for_each = var.environments

  name   = "deploy"
  role   = aws_iam_role.deploy[each.key].id
  policy = data.aws_iam_policy_document.deploy[each.key].json
}

resource "aws_iam_role" "plan" {
  name               = "scones-plan"
  description        = "Plans pull requests of ${var.repository} and detects drift."
  assume_role_policy = data.aws_iam_policy_document.assume["plan"].json
}

resource "aws_iam_role_policy" "plan" {
  name   = "plan"
  role   = aws_iam_role.plan.id
  policy = data.aws_iam_policy_document.plan.json
}
