"""A store -> several runs as one work, each in a folder of its own, and what they came to.

::

    study_table.py  systems and what their runs came to -> one table, in five files
    study.py        systems and a store -> their runs compared: `hmstrain.study`
"""
