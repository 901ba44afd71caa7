"""Rehearsals of the layouts that the guide describes: real programs on loopback addresses, broken under load.

`python -m tools.rehearse LAYOUT` runs one, and prints a table of what clients saw.
"""
