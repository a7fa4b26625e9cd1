"""Encoders of raw EEG, one file each: bipolar traces (B, 18, T) -> features (B, F).

::

    signals.py         the input's traces -> another rate, microvolts, fewer traces
    pooling.py         feature maps -> their mean, and the maps that explain it
    time_space.py      filters over time and over traces, the first layer of three networks
    wavenet.py         gated dilated convolutions, shared by all pairs
    resnet1d.py        residual blocks with long kernels
    resnet1d_gru.py    residual blocks beside a recurrent layer
    squeezeformer.py   a convolutional front end, then attention
    efficientnet1d.py  inverted residuals over four chains
    symmetric1d.py     the same over each half of the head, blind to which is which
    sparcnet.py        a densely connected network, of those who gathered the data
    eegnet.py          a few filters over time and space
    deep4.py           four convolutions
    shallow_fbcsp.py   the logarithm of filtered power
    conformer.py       filters over time and space, then attention
    graph.py           a graph of electrodes

Those that end in a mean over time take windows of any length; `eegnet`, `deep4`, `shallow_fbcsp`
and `conformer` are made for one, `eeg_seconds`. Each says in its file what its source took that it
does not: rate, traces, scale. `last_map` is None where maps do not explain the answer.
"""
