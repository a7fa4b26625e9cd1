"""A recording as it was read -> the values that are stored."""
