"""Retention, forgetting, backups."""
