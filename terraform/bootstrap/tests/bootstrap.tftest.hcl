# Who may assume which role, and what each role may do.

mock_provider "aws" {
  source = "../tests/mocks"
}

variables {
  repository = "scones/vehicles"
}

run "roles_are_restricted_to_their_environment" {
  assert {
    condition     = keys(aws_iam_role.deploy) == ["dev", "prod"]
    error_message = "Each environment must have its own deployment role."
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
    error_message = "A deployment role must trust only this repository's workflows for its environment on the branch main."
  }

  assert {
    condition     = one(one(data.aws_iam_policy_document.assume["dev"].statement).principals).identifiers == toset([one(aws_iam_openid_connect_provider.this).arn])
    error_message = "A deployment role must trust GitHub's OpenID Connect provider."
  }

  assert {
    condition = alltrue(flatten([
      for statement in concat(data.aws_iam_policy_document.plan.statement, data.aws_iam_policy_document.read["plan"].statement) : [
        for action in statement.actions :
        can(regex("^[a-z0-9-]+:(Describe|Get|List|View|Validate)", action)) || statement.sid == "DecryptState"
      ]
    ]))
    error_message = "The plan role must be read-only."
  }

  assert {
    condition = alltrue(flatten([
      for statement in data.aws_iam_policy_document.read["plan"].statement : [
        for action in statement.actions : !can(regex("^(ssm:Get|lambda|s3|states:Describe|dynamodb)", action))
      ] if contains(statement.resources, "*")
    ]))
    error_message = "The plan role may read parameters, code, buckets, state machines and tables of this project only."
  }

  assert {
    condition = alltrue(flatten([
      for name in ["dev", "prod"] : [
        for statement in data.aws_iam_policy_document.read[name].statement : [
          for resource in statement.resources : !can(regex("scones-(\\*|plan|state)", resource))
        ]
      ]
    ]))
    error_message = "A deployment role must not read another environment's configuration."
  }

  assert {
    condition = alltrue(flatten([
      for name in ["dev", "prod"] : [
        for statement in data.aws_iam_policy_document.boundary[name].statement : [
          for resource in statement.resources :
          can(regex("scones-${name}-\\*$", resource)) || can(regex("/aws/sagemaker/(Processing|Training|Transform)Jobs\\*$", resource))
        ] if statement.sid == "EnvironmentResources"
      ]
    ]))
    error_message = "The boundary must not allow access to another environment or the state."
  }

  assert {
    condition = alltrue([
      for name in ["dev", "prod"] : alltrue([
        for statement in data.aws_iam_policy_document.boundary[name].statement :
        "${one(statement.condition).variable} ${join(" ", one(statement.condition).values)}" == "aws:ResourceTag/Environment ${name}"
        if anytrue([for action in statement.actions : startswith(action, "kms:")])
      ])
    ])
    error_message = "The boundary must restrict keys to those with the environment's tag."
  }

  # Terraform sends only the tags that have changed, so a request that tags an existing resource may lack `Environment`
  assert {
    condition = alltrue([
      for name in ["dev", "prod"] : [
        for statement in data.aws_iam_policy_document.deploy_network[name].statement : toset([
          for condition in statement.condition : "${condition.test} ${condition.variable} ${join(" ", condition.values)}"
        ]) if contains(statement.actions, "ec2:CreateTags")
        ] == [
        toset(["StringEquals aws:RequestTag/Environment ${name}", "StringEqualsIfExists aws:ResourceTag/Environment ${name}"]),
        toset(["StringEquals aws:ResourceTag/Environment ${name}", "StringEqualsIfExists aws:RequestTag/Environment ${name}"]),
      ]
    ])
    error_message = "A deployment role must be able to tag new VPC resources and those of its environment, but must not change the tag `Environment`."
  }

  assert {
    condition = alltrue([
      for name in ["dev", "prod"] : [
        for statement in data.aws_iam_policy_document.boundary[name].statement : {
          for condition in statement.condition : condition.variable => one(condition.values)
        } if contains(statement.actions, "application-autoscaling:DeregisterScalableTarget")
      ] == [{ "application-autoscaling:service-namespace" = "sagemaker", "aws:ResourceTag/Environment" = name }]
    ])
    error_message = "The boundary must let the schedule that deletes an endpoint deregister its scalable target, and restrict scalable targets to those of SageMaker with the environment's tag."
  }

  assert {
    condition = alltrue([
      for name in ["dev", "prod"] : [
        for statement in data.aws_iam_policy_document.deploy_network[name].statement : statement if contains(statement.actions, "ec2:DeleteNetworkInterface")
      ] == []
    ])
    error_message = "A deployment role must not delete network interfaces while its environment has no VPC."
  }

  # Lambda checks the permissions of a function's role, within its boundary, before a network interface exists
  assert {
    condition = alltrue([
      for name in ["dev", "prod"] : alltrue([
        for statement in data.aws_iam_policy_document.boundary[name].statement :
        statement.resources == toset(["arn:aws:ec2:*:123456789012:*/*"]) if contains(statement.actions, "ec2:DeleteNetworkInterface")
      ])
    ])
    error_message = "The boundary must allow functions to run in a VPC."
  }

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
    error_message = "A deployment role must not tag a key that has another environment's tag or alias."
  }

  assert {
    condition = alltrue([
      for name in ["dev", "prod"] : [
        for statement in data.aws_iam_policy_document.deploy[name].statement : statement.not_actions
        if statement.effect == "Deny" && contains(statement.resources, "arn:aws:kms:us-east-1:123456789012:key/some-key")
      ] == [toset(["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", "kms:Get*", "kms:List*"])]
    ])
    error_message = "A deployment role may use the state's key, but not administer it."
  }

  assert {
    condition = alltrue(flatten([
      for name in ["dev", "prod"] : [
        for statement in data.aws_iam_policy_document.deploy[name].statement : [
          for resource in statement.resources : can(regex("scones[/-]${name}([/-]|$)", resource))
        ] if contains(coalesce(statement.actions, []), "logs:*")
      ]
    ]))
    error_message = "A deployment role must not change another environment's resources, including its streams in shared log groups."
  }

  assert {
    condition = alltrue(flatten([
      for name in ["dev", "prod"] : [
        for statement in data.aws_iam_policy_document.deploy[name].statement : [
          for condition in statement.condition :
          condition.variable == "iam:PermissionsBoundary" && condition.values == tolist([aws_iam_policy.boundary[name].arn])
        ] if contains(coalesce(statement.actions, []), "iam:CreateRole")
      ]
    ]))
    error_message = "A deployment role must not create a role without the boundary."
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
    error_message = "A deployment role must not remove or change the boundary."
  }

  assert {
    condition = alltrue([
      for name in ["dev", "prod"] : length([
        for statement in data.aws_iam_policy_document.deploy[name].statement : statement
        if anytrue([for action in coalesce(statement.actions, []) : contains(["iam:CreateRole", "iam:PutRolePolicy"], action)]) && length(statement.condition) == 1
      ]) == 1
    ])
    error_message = "Only one statement may allow creating roles and their policies, and it must require the boundary."
  }

  assert {
    condition = alltrue([
      for name in ["dev", "prod"] : alltrue([
        for statement in data.aws_iam_policy_document.deploy[name].statement :
        statement.resources == toset(["arn:aws:s3:::some-bucket/${name}.tfstate", "arn:aws:s3:::some-bucket/${name}.tfstate.tflock"])
        if statement.sid == "State"
      ])
    ])
    error_message = "A deployment role must write only its own environment's state."
  }
}

run "deployment_role_deletes_network_interfaces_of_its_vpc_only" {
  command = plan

  override_data {
    target = data.aws_vpcs.this["prod"]
    values = { ids = ["vpc-1"] }
  }

  assert {
    condition = [
      for statement in data.aws_iam_policy_document.deploy_network["prod"].statement : statement.condition
      if contains(statement.actions, "ec2:DeleteNetworkInterface")
      ] == [
      toset([{ test = "ArnLike", variable = "ec2:Vpc", values = tolist(["arn:aws:ec2:*:123456789012:vpc/vpc-1"]) }])
    ]
    error_message = "The deployment role must be able to delete network interfaces, but only in its environment's VPC."
  }
}

run "repository_with_ids_and_existing_provider_are_supported" {
  variables {
    repository        = "scones@123456/vehicles@456789"
    oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
  }

  assert {
    condition = toset(flatten([
      for condition in one(data.aws_iam_policy_document.assume["plan"].statement).condition :
      condition.values if endswith(condition.variable, ":sub")
    ])) == toset(["repo:scones@123456/vehicles@456789:pull_request", "repo:scones@123456/vehicles@456789:ref:refs/heads/main"])
    error_message = "The trusted subject must have the format of GitHub's tokens."
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.this) == 0
    error_message = "An existing provider must not be created again, because AWS rejects a second one."
  }

  assert {
    condition = alltrue([
      for name in ["dev", "prod", "plan"] :
      one(one(data.aws_iam_policy_document.assume[name].statement).principals).identifiers == toset([var.oidc_provider_arn])
    ])
    error_message = "Every role must trust the existing provider."
  }
}

run "repository_url_wildcard_environment_and_other_oidc_provider_are_rejected" {
  command = plan

  variables {
    repository        = "https://github.com/scones/vehicles"
    environments      = ["prod", "*"]
    oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/example.com"
  }

  expect_failures = [var.repository, var.environments, var.oidc_provider_arn]
}

run "wildcard_repository_and_reserved_environment_are_rejected" {
  command = plan

  variables {
    repository   = "scones/*"
    environments = ["dev", "deploy"]
  }

  expect_failures = [var.repository, var.environments]
}

run "repository_with_an_owner_id_but_no_repository_id_is_rejected" {
  command = plan

  variables {
    repository = "scones@123456/vehicles"
  }

  expect_failures = [var.repository]
}
