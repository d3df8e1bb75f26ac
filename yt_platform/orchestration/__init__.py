"""What is not one capability's own in Dagster."""
