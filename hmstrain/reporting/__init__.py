"""A run -> pages: its report, a comparison, attribution, a page to browse.

::

    attribution.py   a network and a window -> what the answer rests on
    faithfulness.py  a map of importance -> whether it can be trusted
    explain.py       a run and one window -> a picture of that: `hmstrain.explain`
    comparison/      a comparison of models -> a table, a picture, a page
    systems.py       names of systems -> models with their inputs; what a report published
    report.py        a finished run -> one page
    dark.py          figures of a page -> dark where the system asks for it
    served.py        pages of Bokeh -> a server on this machine, for whoever has its token
    browse/          a page on this machine to browse a store or a run's answers
"""
