"""The commands of the program: options, one call, a short report. No logic that the web could not call."""
