"""Everything that talks to the outside: Postgres, raw files, MLflow. No Dagster, no business rules."""
