"""Kaggle's files -> one sealed store. Command line: `hmsprep --help`."""
