"""Predictions -> figures; a run on another store."""
