"""A data set in Kaggle's layout -> what is in it: numbers, findings, a page to look at."""
