"""A store -> rows of an epoch -> batches -> what a network sees.

::

    seeds.py    a run's seed and a stream's name -> random numbers of that stream alone
    observed.py a store and rows -> the observed run of each window; which can be judged
    centre.py   rows of a store and their shifts -> where in its window the label of each lies
    apart.py    rows of a store -> how far apart windows that follow each other begin
    unlabelled.py  configuration and window table -> windows to pretrain on, votes unseen
    rows.py     configuration and window table -> rows of each epoch, and their order
    weights.py  configuration and window table -> how much each window counts in the loss
    targets.py  configuration and window table -> what each window's answer should be
    validation.py  configuration, stages and the fold held out -> what validations are judged by
    chains.py   orders of the four chains -> orders of channels and spectrogram features
    augment.py  seed and step -> the random draws of a batch
    steps.py    an epoch -> its steps, each with all that it draws
    loader.py   a store and an order of windows -> batches on the device, ahead of time
    dataset.py  rows of a store -> a plain torch Dataset, for a training loop of your own
    table.py    a store -> the table of its hand features
    eeg.py      referential EEG in microvolts -> what networks see of it
    inputs/     what networks can see of a window, by name: `INPUTS`
    mixture.py  a run's own store and others -> batches that have windows of all of them
    context.py  runs and rows of a store -> how much of what they look at was observed
"""
