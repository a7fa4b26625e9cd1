"""What has to be said wherever predictions are shown."""

RESEARCH_ONLY = "Research software: not a medical device, and not to be used for diagnosis."
