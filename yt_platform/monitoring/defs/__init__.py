"""Checks, sensors and assets about quality and alerts."""
