"""Accounts of channel owners."""
