"""A demo for a test suite: a template that is copied, a server for each test session, and a plugin for pytest."""
