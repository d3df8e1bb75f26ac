"""Video and channel facts."""
