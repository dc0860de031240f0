"""Whole jobs from data to a saved model: forecasting, classification, regression.

Each task is one module with the same parts: ``DEFAULTS`` (how it trains), ``fit`` (data to a
model whose ``metadata`` hold all that a prediction needs), ``report`` (figures of merit beside
naive ones) and ``rows`` (predictions for a file, one dictionary per line of output).
"""
