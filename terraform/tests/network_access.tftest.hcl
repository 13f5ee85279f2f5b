# IAM policies for network interfaces in the VPC.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  subnet_ids         = ["subnet-1", "subnet-2"]
  security_group_ids = ["sg-1"]
}

run "interfaces_are_created_in_the_given_subnets_only" {
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
    error_message = "Interfaces may be created only in the given subnets and with the given security group."
  }
}

# Lambda checks the role before any interface exists: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
run "deleting_interfaces_and_assigning_addresses_is_not_limited_to_the_resource_type_network_interface" {
  module {
    source = "./modules/network_access"
  }

  assert {
    condition = alltrue([
      for statement in concat(data.aws_iam_policy_document.interfaces.statement, data.aws_iam_policy_document.functions.statement, data.aws_iam_policy_document.containers.statement) :
      contains(["*", "arn:aws:ec2:us-east-1:123456789012:*/*"], one(statement.resources)) if !contains(statement.actions, "ec2:CreateNetworkInterface")
    ])
    error_message = "Lambda rejects a role whose policy names network-interface/* for these actions."
  }
}

run "empty_lists_are_rejected" {
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
