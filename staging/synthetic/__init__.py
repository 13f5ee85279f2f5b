"""Draw a synthetic sample data set of vehicles."""
