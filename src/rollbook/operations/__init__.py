"""What an operator does: one function for each act, complete in itself.

A function takes the database, the settings and plain values: names or ids, as an operator types them. It
leaves the audit trail, the views and the feeds as the act needs them, and returns a value to report. Errors
are those of `errors`. The command line, pages and jobs call these functions and nothing below that writes.
"""
