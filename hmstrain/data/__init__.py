"""A store -> rows of an epoch -> batches -> what a network sees."""
