"""A comparison of models -> a table, a picture, and a page with the rows that they differ on.

::

    table.py   a comparison -> the lines of its table, as Markdown and CSV
    forest.py  a comparison -> its scores and differences with their intervals, drawn
    files.py   a calibration or a blend -> its files
    page.py    a comparison and its rows -> one page, and all files in a folder
"""
