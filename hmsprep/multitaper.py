"""Old name of `hmsprep.spectrogram`, for one more release."""

from hmsprep.spectrograms.multitaper import spectrogram as spectrogram
