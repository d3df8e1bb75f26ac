"""What was known at the origin."""
