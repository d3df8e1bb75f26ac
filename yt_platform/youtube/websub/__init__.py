"""Uploads as they happen, told by a WebSub hub."""
