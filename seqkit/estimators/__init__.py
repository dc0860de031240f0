"""Estimators in scikit-learn's manner, for sequences of any length."""
