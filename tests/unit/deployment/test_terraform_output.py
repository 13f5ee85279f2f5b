from deployment.terraform_output import first_error


def test_first_error_is_one_line() -> None:
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


def test_failed_condition_has_its_message_without_the_configuration() -> None:
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


def test_output_without_an_error_gives_its_last_line() -> None:
    assert first_error("Initializing...\nkilled\n\n") == "killed"
