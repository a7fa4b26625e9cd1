"""A recorder's file -> a recording: one file per format."""
