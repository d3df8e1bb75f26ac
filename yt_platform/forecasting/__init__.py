"""Forecasts of views, likes, comments and subscribers."""
