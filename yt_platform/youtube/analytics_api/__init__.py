"""YouTube's Analytics API: queries of owners."""
