"""A run -> pages: its report, a study, attribution, a page to browse."""
