"""What is asked of YouTube."""
