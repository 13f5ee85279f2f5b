data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

locals {
  account_id = data.aws_caller_identity.this.account_id
  arn_prefix = "arn:${data.aws_partition.this.partition}"
  issuer     = "token.actions.githubusercontent.com"

  # Known before it is there, so that its own policy can name it
  boundary_arn = "${local.arn_prefix}:iam::${local.account_id}:policy/scones-boundary"
}

module "keys" {
  source = "../modules/keys"

  prefix                  = "scones-state"
  deletion_window_in_days = 30
}

# One object an environment; `use_lockfile` keeps a second apply out: no table is needed
module "state" {
  source = "../modules/bucket"

  name        = "scones-state-${local.account_id}"
  kms_key_arn = module.keys.arn
}

# AWS knows GitHub's certificates by itself, and asks for no thumbprint:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html
resource "aws_iam_openid_connect_provider" "this" {
  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

# Who may take on which role: a workflow of this repository, of this environment or for a plan alone
data "aws_iam_policy_document" "assume" {
  for_each = merge(
    { for name in var.environments : name => ["repo:${var.repository}:environment:${name}"] },
    { plan = ["repo:${var.repository}:pull_request", "repo:${var.repository}:ref:refs/heads/main"] },
  )

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.this.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = each.value
    }
  }
}

resource "aws_iam_policy" "boundary" {
  name        = "scones-boundary"
  description = "What a role of scones may do at most, whatever its own policy says."
  policy      = data.aws_iam_policy_document.boundary.json
}

resource "aws_iam_role" "deploy" {
  for_each = var.environments

  name                 = "scones-deploy-${each.key}"
  description          = "Deploys ${each.key} from ${var.repository}."
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
  description        = "Plans pull requests of ${var.repository}, and looks for drift."
  assume_role_policy = data.aws_iam_policy_document.assume["plan"].json
}

resource "aws_iam_role_policy" "plan" {
  name   = "plan"
  role   = aws_iam_role.plan.id
  policy = data.aws_iam_policy_document.plan.json
}
