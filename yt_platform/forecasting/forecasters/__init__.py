"""Forecasters of increments behind one protocol. How they are judged is in `forecasting/evaluation.py`."""
