"""Quality, anomalies, freshness, alerts."""
