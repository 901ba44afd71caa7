"""The commands of the program.

Each has options, one call and a short report, and no logic that the web could not call.
"""
