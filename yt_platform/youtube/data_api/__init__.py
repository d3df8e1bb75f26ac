"""YouTube's Data API, by key."""
