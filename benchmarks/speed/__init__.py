"""Speed and memory of building, reading, training steps, importing and predicting."""
