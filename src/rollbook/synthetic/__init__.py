"""Invented districts: believable, the same for the same arguments, on any day of any year, flawed when asked
for."""
