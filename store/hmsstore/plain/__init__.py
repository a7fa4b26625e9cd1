"""Text from files of strangers, shown and kept as text.

::

    text.py    text -> text that a terminal shows, and a spreadsheet keeps, as text
    screen.py  what the command lines print on terminals and write into log files
"""
