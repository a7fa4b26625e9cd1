"""What can be set about a run, each setting with its meaning, range and default.

A new setting is a field of the group that it belongs to; `config.Config` is made of all groups.

::

    setting.py       one setting: its meaning, range, default, and its value read from text
    model.py         what the network is, and what it starts from
    inputs.py        what the network sees of a window
    sampling.py      which windows a run trains on, and how much each counts
    augmentation.py  how training windows are changed at random
    loss.py          what training minimises
    optimisation.py  how long and how fast the weights change
    validation.py    when a run is scored, and which of its checkpoints is kept
    machine.py       where and in what precision a run computes
"""
