"""Gold pairs to scores."""
