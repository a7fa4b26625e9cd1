"""The competition's layout, read and written."""
