"""The pages that people open: Dagster's and MLflow's own applications, each behind one guard with a login."""
