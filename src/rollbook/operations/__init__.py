"""The acts of an operator: one function for each act, complete in itself.

A function takes the database, the settings, and names or ids as an operator types them. It updates the audit
trail, the views and the feeds as the act requires, and returns a value to report. Its errors are those of
`errors`. The command line, pages and jobs call these functions, and no function below them that writes.
"""
