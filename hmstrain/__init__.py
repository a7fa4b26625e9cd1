"""Train, test and compare models of EEG patterns on a sealed store."""
