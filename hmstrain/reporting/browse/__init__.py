"""A local web page to browse a store, or a run's answers on it."""
