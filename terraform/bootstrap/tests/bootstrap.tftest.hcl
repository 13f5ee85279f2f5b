# The ground: who may take on which role, and that no role is made but within the boundary.

mock_provider "aws" {
  source = "../tests/mocks"
}

variables {
  repository = "scones/vehicles"
}

run "each_environment_is_deployed_by_its_own_workflows_alone" {
  assert {
    condition     = keys(aws_iam_role.deploy) == ["dev", "prod"]
    error_message = "Each environment must have a role of its own."
  }

  assert {
    condition = alltrue([
      for name in ["dev", "prod"] : toset([
        for condition in one(data.aws_iam_policy_document.assume[name].statement).condition :
        "${condition.test} ${condition.variable} ${join(" ", condition.values)}"
        ]) == toset([
        "StringEquals token.actions.githubusercontent.com:aud sts.amazonaws.com",
        "StringEquals token.actions.githubusercontent.com:sub repo:scones/vehicles:environment:${name}",
      ])
    ])
    error_message = "A deployment role must trust this repository and this environment, word for word, and nobody else."
  }
}

run "a_pull_request_changes_nothing" {
  assert {
    condition = alltrue(flatten([
      for statement in data.aws_iam_policy_document.plan.statement : [
        for action in statement.actions :
        can(regex("^[a-z0-9-]+:(Describe|Get|List|View|Validate)", action)) if statement.sid == "ReadSettings"
      ]
    ]))
    error_message = "What a plan may do everywhere must be reading."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.plan.statement :
      statement.sid == "Lock" && statement.resources == toset(["arn:aws:s3:::some-bucket/*.tflock"])
      if anytrue([for action in statement.actions : can(regex("Put|Delete|Create", action))])
    ])
    error_message = "A plan may write its lock, and nothing else."
  }
}

run "roles_are_made_within_the_boundary_and_it_stays_on" {
  assert {
    condition = alltrue(flatten([
      for name in ["dev", "prod"] : [
        for statement in data.aws_iam_policy_document.deploy[name].statement : [
          for condition in statement.condition :
          condition.variable == "iam:PermissionsBoundary" && condition.values == tolist(["arn:aws:iam::123456789012:policy/scones-boundary"])
        ] if contains(statement.actions, "iam:CreateRole")
      ]
    ]))
    error_message = "A role without the boundary must be refused."
  }

  assert {
    condition = alltrue(flatten([
      for name in ["dev", "prod"] : [
        for statement in data.aws_iam_policy_document.deploy[name].statement : [
          for action in statement.actions : !contains([
            "*", "iam:*", "iam:AttachRolePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:DeleteRolePermissionsBoundary",
          ], action)
        ]
      ]
    ]))
    error_message = "The deployment role must not be able to take the boundary off, or to change it."
  }

  assert {
    condition = alltrue([
      for name in ["dev", "prod"] : length([
        for statement in data.aws_iam_policy_document.deploy[name].statement : statement
        if anytrue([for action in statement.actions : contains(["iam:CreateRole", "iam:PutRolePolicy"], action)]) && length(statement.condition) == 1
      ]) == 1
    ])
    error_message = "Roles and their policies are made by one statement, which asks for the boundary."
  }
}

run "the_state_is_one_environments_own" {
  assert {
    condition = alltrue([
      for name in ["dev", "prod"] : alltrue([
        for statement in data.aws_iam_policy_document.deploy[name].statement :
        statement.resources == toset(["arn:aws:s3:::some-bucket/${name}.tfstate", "arn:aws:s3:::some-bucket/${name}.tfstate.tflock"])
        if statement.sid == "State"
      ])
    ])
    error_message = "A deployment role must not write another environment's state."
  }
}

run "an_address_is_no_repository" {
  command = plan

  variables {
    repository = "https://github.com/scones/vehicles"
  }

  expect_failures = [var.repository]
}

run "a_repository_of_a_wildcard_is_refused" {
  command = plan

  variables {
    repository = "scones/*"
  }

  expect_failures = [var.repository]
}

run "environments_that_cannot_be_are_refused" {
  command = plan

  variables {
    environments = ["prod", "*"]
  }

  expect_failures = [var.environments]
}
