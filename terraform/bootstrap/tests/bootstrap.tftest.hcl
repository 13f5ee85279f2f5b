# The ground: who may take on which role, and that no role is made but within the boundary.

mock_provider "aws" {
  source = "../tests/mocks"
}

variables {
  repository = "scones/vehicles"
}

run "each_environment_is_deployed_by_its_own_workflows_from_main_alone" {
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
        "StringEquals token.actions.githubusercontent.com:ref refs/heads/main",
        "StringEquals token.actions.githubusercontent.com:sub repo:scones/vehicles:environment:${name}",
      ])
    ])
    error_message = "A deployment role must trust this repository, this environment and main, word for word, and nobody else."
  }

  assert {
    condition     = one(one(data.aws_iam_policy_document.assume["dev"].statement).principals).identifiers == toset([one(aws_iam_openid_connect_provider.this).arn])
    error_message = "A role must trust GitHub's provider."
  }
}

run "a_repository_whose_tokens_carry_ids_is_trusted_by_them" {
  variables {
    repository = "scones@123456/vehicles@456789"
  }

  assert {
    condition = toset(flatten([
      for condition in one(data.aws_iam_policy_document.assume["plan"].statement).condition :
      condition.values if endswith(condition.variable, ":sub")
    ])) == toset(["repo:scones@123456/vehicles@456789:pull_request", "repo:scones@123456/vehicles@456789:ref:refs/heads/main"])
    error_message = "The subject must be what GitHub writes into its tokens."
  }
}

run "a_provider_that_the_account_has_is_not_made_again" {
  variables {
    oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.this) == 0
    error_message = "An account has one provider of GitHub's: a second one is refused."
  }

  assert {
    condition = alltrue([
      for name in ["dev", "prod", "plan"] :
      one(one(data.aws_iam_policy_document.assume[name].statement).principals).identifiers == toset([var.oidc_provider_arn])
    ])
    error_message = "Every role must trust the provider that is there."
  }
}

run "a_pull_request_changes_nothing_and_reads_this_projects_settings" {
  assert {
    condition = alltrue(flatten([
      for statement in concat(data.aws_iam_policy_document.plan.statement, data.aws_iam_policy_document.read["plan"].statement) : [
        for action in statement.actions :
        can(regex("^[a-z0-9-]+:(Describe|Get|List|View|Validate)", action)) || statement.sid == "ReadStatesKey"
      ]
    ]))
    error_message = "What a plan may do must be reading."
  }

  assert {
    condition = alltrue(flatten([
      for statement in data.aws_iam_policy_document.read["plan"].statement : [
        for action in statement.actions : !can(regex("^(ssm|lambda|s3|states:Describe|dynamodb)", action))
      ] if contains(statement.resources, "*")
    ]))
    error_message = "Parameters, code, buckets, executions and tables must be this project's."
  }

  assert {
    condition = alltrue(flatten([
      for name in ["dev", "prod"] : [
        for statement in data.aws_iam_policy_document.read[name].statement : [
          for resource in statement.resources : !can(regex("scones-(\\*|plan|state)", resource))
        ]
      ]
    ]))
    error_message = "Who deploys an environment must read no other's settings."
  }
}

run "an_environments_boundary_ends_at_the_environment" {
  assert {
    condition = alltrue(flatten([
      for name in ["dev", "prod"] : [
        for statement in data.aws_iam_policy_document.boundary[name].statement : [
          for resource in statement.resources :
          can(regex("scones-${name}-\\*$", resource)) || can(regex("/aws/sagemaker/(Training|Transform)Jobs\\*$", resource))
        ] if statement.sid == "OfThisEnvironment"
      ]
    ]))
    error_message = "No role of an environment may reach another's, or the state."
  }

  assert {
    condition = alltrue([
      for name in ["dev", "prod"] : alltrue([
        for statement in data.aws_iam_policy_document.boundary[name].statement :
        "${one(statement.condition).variable} ${join(" ", one(statement.condition).values)}" == "aws:ResourceTag/Environment ${name}"
        if anytrue([for action in statement.actions : startswith(action, "kms:")])
      ])
    ])
    error_message = "Keys are used by their environment alone."
  }
}

run "what_functions_leave_in_a_network_is_removed_with_it" {
  assert {
    condition = alltrue([
      for name in ["dev", "prod"] : toset(flatten([
        for statement in data.aws_iam_policy_document.deploy[name].statement :
        [for resource in statement.resources : "${join(" ", sort(statement.actions))} ${reverse(split(":", resource))[0]}"]
        if statement.sid == "RemoveInterfacesOfFunctions"
      ])) == toset(["ec2:DeleteNetworkInterface ec2:DetachNetworkInterface network-interface/*"])
    ])
    error_message = "Whoever destroys a network must be able to remove the interfaces that functions left in it."
  }
}

run "nobody_takes_over_a_key" {
  assert {
    condition = alltrue(flatten([
      for name in ["dev", "prod"] : [
        for statement in data.aws_iam_policy_document.deploy[name].statement : [
          for action in coalesce(statement.actions, []) : toset([
            for condition in statement.condition : "${condition.test} ${condition.variable} ${join(" ", condition.values)}"
            ]) == toset(
            statement.effect == "Deny"
            ? ["ForAnyValue:StringNotEquals kms:ResourceAliases alias/scones-${name}"]
            : ["StringEquals aws:RequestTag/Environment ${name}", "StringEqualsIfExists aws:ResourceTag/Environment ${name}"]
          ) if action == "kms:TagResource"
        ]
      ]
    ]))
    error_message = "A key with another's tag, or another's alias, must not be tagged as this environment's."
  }

  assert {
    condition = alltrue([
      for name in ["dev", "prod"] : [
        for statement in data.aws_iam_policy_document.deploy[name].statement : statement.not_actions
        if statement.effect == "Deny" && contains(statement.resources, "arn:aws:kms:us-east-1:123456789012:key/some-key")
      ] == [toset(["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", "kms:Get*", "kms:List*"])]
    ])
    error_message = "The state's key must be used, and not be administered."
  }
}

run "who_deploys_an_environment_changes_nothing_else" {
  assert {
    condition = alltrue(flatten([
      for name in ["dev", "prod"] : [
        for statement in data.aws_iam_policy_document.deploy[name].statement : [
          for resource in statement.resources : can(regex("scones[/-]${name}([/-]|$)", resource))
        ] if contains(coalesce(statement.actions, []), "logs:*")
      ]
    ]))
    error_message = "Whoever deploys an environment must change nothing of another, logs that they share included."
  }
}

run "roles_are_made_within_the_boundary_and_it_stays_on" {
  assert {
    condition = alltrue(flatten([
      for name in ["dev", "prod"] : [
        for statement in data.aws_iam_policy_document.deploy[name].statement : [
          for condition in statement.condition :
          condition.variable == "iam:PermissionsBoundary" && condition.values == tolist([aws_iam_policy.boundary[name].arn])
        ] if contains(coalesce(statement.actions, []), "iam:CreateRole")
      ]
    ]))
    error_message = "A role without the boundary must be refused."
  }

  assert {
    condition = alltrue(flatten([
      for name in ["dev", "prod"] : [
        for statement in data.aws_iam_policy_document.deploy[name].statement : [
          for action in coalesce(statement.actions, []) : !contains([
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
        if anytrue([for action in coalesce(statement.actions, []) : contains(["iam:CreateRole", "iam:PutRolePolicy"], action)]) && length(statement.condition) == 1
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

run "half_of_the_ids_is_no_repository" {
  command = plan

  variables {
    repository = "scones@123456/vehicles"
  }

  expect_failures = [var.repository]
}

run "an_environment_that_is_called_as_the_ground_is_refused" {
  command = plan

  variables {
    environments = ["dev", "deploy"]
  }

  expect_failures = [var.environments]
}

run "a_provider_of_somebody_else_is_refused" {
  command = plan

  variables {
    oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/example.com"
  }

  expect_failures = [var.oidc_provider_arn]
}
