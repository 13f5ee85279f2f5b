"""Evaluate a model on live traffic, whose labels come later: from people who review images, or from files."""
