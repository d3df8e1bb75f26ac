"""Assets of models and of their forecasts."""
