"""Encoders of raw EEG, one file each: bipolar traces (B, 18, T) -> features (B, F).

::

    resnet1d.py     residual blocks with long kernels
"""
