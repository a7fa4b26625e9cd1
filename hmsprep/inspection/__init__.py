"""A data set in Kaggle's layout -> what is in it: numbers, findings, a page to look at.

::

    table.py      the table of windows -> rows, ids, missing entries, votes, quirks
    recording.py  a recording's files -> its extremes, gaps, dead channels
    survey.py     A data set -> all that is known of it, in one pass over its files
    sections.py   facts of a survey -> tables and sentences, for terminal and page
    channels.py   the twenty channels -> what each is for, and a map of the head
    samples.py    a survey -> some windows as they stand in the files
    figures.py    facts of a survey -> figures
    page.py       a survey -> one HTML file
    inspect.py    a data set -> all of it: `hmsprep.inspect`
"""
