"""The loaders and the builds that one might use instead of these packages."""
