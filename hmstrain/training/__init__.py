"""A configuration and a store -> a trained network in its run."""
