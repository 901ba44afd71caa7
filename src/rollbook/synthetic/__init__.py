"""Invented districts: believable, the same for the same arguments, for any day of any year, with flaws on
demand."""
