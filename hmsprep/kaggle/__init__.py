"""The competition's layout, read and written.

::

    frames.py     bytes of a parquet or CSV file -> a data frame
    table.py      train.csv, test.csv or metadata -> checked columns of windows
    files.py      a folder or zip -> which files there are, and their bytes
    recording.py  bytes of one parquet file -> the recording in it, checked
    write.py      recordings and tables -> parquet and CSV files as the competition's are
    publish.py    a sealed store -> a folder that Kaggle's own client uploads
"""
