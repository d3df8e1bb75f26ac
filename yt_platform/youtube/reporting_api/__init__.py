"""YouTube's Reporting API: bulk reports of owners."""
