"""Rollbook: an open K-12 rostering server that speaks the Clever API v3.0."""

__version__ = "0.1.0"
