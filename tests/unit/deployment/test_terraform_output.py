"""The first error in Terraform's output is shortened to one line."""

from deployment.terraform_output import first_error


def test_first_error_is_joined_to_one_line_without_references_to_the_configuration() -> None:
    # GIVEN
    output = """
aws_s3_bucket.this: Creating...
╷
│ Error: creating S3 Bucket (scones): BucketAlreadyExists
│ 
│   with module.storage.aws_s3_bucket.this,
│   on modules/storage/main.tf line 1, in resource "aws_s3_bucket" "this":
│    1: resource "aws_s3_bucket" "this" {
│ 
│ The name is taken.
╵
"""
    # WHEN / THEN
    assert first_error(output) == "creating S3 Bucket (scones): BucketAlreadyExists The name is taken."


def test_error_of_a_failed_condition_contains_only_the_title_and_the_error_message() -> None:
    # GIVEN
    output = """
╷
│ Error: Resource postcondition failed
│ 
│   on main.tf line 29, in resource "terraform_data" "environment":
│   29:       condition     = self.output == var.environment
│     ├────────────────
│     │ self.output is "local"
│     │ var.environment is "dev"
│ 
│ This state holds the environment local.
│ 
│ This was checked by the validation rule at main.tf:29,3-13.
╵
╷
│ Error: another
╵
"""
    # WHEN / THEN
    assert first_error(output) == "Resource postcondition failed This state holds the environment local."


def test_first_error_of_output_without_an_error_is_the_last_line() -> None:
    assert first_error("Initializing...\nkilled\n\n") == "killed"


def test_error_about_the_state_lock_says_who_holds_the_lock_and_since_when() -> None:
    # GIVEN https://github.com/hashicorp/terraform/blob/v1.11.4/internal/command/clistate/state.go
    output = """
╷
│ Error: Error acquiring the state lock
│
│ Error message: operation error S3: PutObject, https response error StatusCode: 412
│ Lock Info:
│   ID:        6c0c5f0a-6b0b-93c3-2b0c-0c9c7f0b1b7e
│   Path:      scones-state-123456789012/dev.tfstate
│   Operation: OperationTypeApply
│   Who:       runner@host
│   Version:   1.11.4
│   Created:   2026-11-28 14:03:12.123456 +0000 UTC
│   Info:
│
│ Terraform acquires a state lock to protect the state from being written
╵
"""

    # WHEN / THEN
    assert first_error(output) == (
        "runner@host has held the state lock since 2026-11-28 14:03:12 UTC (apply): wait until the apply has ended. If "
        "it was killed, run `terraform force-unlock 6c0c5f0a-6b0b-93c3-2b0c-0c9c7f0b1b7e` as docs/operations.md says"
    )
