"""A whole recording, as a reader sees it.

::

    page/  a recording -> its page: trends, EEG, marks
"""
