"""What networks can see of a window."""
