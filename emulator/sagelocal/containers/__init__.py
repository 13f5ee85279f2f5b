"""Substitutes for AWS's container images."""
