"""A table of windows and parameters -> which windows, which folds, what lies where."""
