"""What the models cost and what they are worth: one command, one table."""
