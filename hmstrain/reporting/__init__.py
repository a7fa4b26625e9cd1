"""A run -> pages: its report, a study, attribution, a page to browse.

::

    attribution.py   a network and a window -> what the answer rests on
    faithfulness.py  a map of importance -> whether it can be trusted
    explain.py       a run and one window -> a picture of that: `hmstrain.explain`
    report.py        a finished run -> one page
    study.py         the report's nine systems, and others, on one store -> one table
    browse/          a page on this machine to browse a store or a run's answers
"""
