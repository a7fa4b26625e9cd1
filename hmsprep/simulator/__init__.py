"""Simulated data sets in Kaggle's layout: structure, raters, EEG, spectrograms, files."""
