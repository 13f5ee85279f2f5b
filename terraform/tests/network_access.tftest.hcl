# Interfaces are made where they are meant to be, and nowhere else.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  subnet_ids         = ["subnet-1", "subnet-2"]
  security_group_ids = ["sg-1"]
}

run "interfaces_are_made_in_the_named_places" {
  module {
    source = "./modules/network_access"
  }

  assert {
    condition = one([
      for statement in data.aws_iam_policy_document.interfaces.statement : statement.resources if contains(statement.actions, "ec2:CreateNetworkInterface")
      ]) == toset([
      "arn:aws:ec2:us-east-1:123456789012:subnet/subnet-1",
      "arn:aws:ec2:us-east-1:123456789012:subnet/subnet-2",
      "arn:aws:ec2:us-east-1:123456789012:security-group/sg-1",
      "arn:aws:ec2:us-east-1:123456789012:network-interface/*",
    ])
    error_message = "An interface must be made in these subnets, and in this group."
  }
}

run "nowhere_is_refused" {
  command = plan

  module {
    source = "./modules/network_access"
  }

  variables {
    subnet_ids         = []
    security_group_ids = []
  }

  expect_failures = [var.subnet_ids, var.security_group_ids]
}
