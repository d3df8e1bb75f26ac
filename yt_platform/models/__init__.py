"""Trained models, whatever their kind."""
