"""What networks learn of simulated EEG, and what they say of real segments."""
