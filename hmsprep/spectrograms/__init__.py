"""EEG -> the competition's spectrogram."""
