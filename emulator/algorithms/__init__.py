"""Stand-ins for algorithms whose images AWS brings along."""
