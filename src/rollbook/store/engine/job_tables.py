"""The tables of what runs by itself, as statements of a step of `migrations`; never edited once released.

Moments are Unix milliseconds by the clock of the database.
"""

from __future__ import annotations

from typing import Final

QUEUE: Final = (
    # One job. Of all jobs of a lane one runs at a time. subject: the folder or file that it is about. state: waiting,
    # running, done, failed, cancelled. fence: raised with each lease, so that a worker that lost its lease cannot
    # write any more. sync: the run of the district that the job made.
    """CREATE TABLE jobs (
         number {serial} PRIMARY KEY, kind {text} NOT NULL, lane {text} NOT NULL,
         district {number} REFERENCES districts (number), subject {text} NOT NULL, state {text} NOT NULL,
         stage {text} NOT NULL DEFAULT '', message {text} NOT NULL DEFAULT '', sync {number},
         attempts {number} NOT NULL DEFAULT 0, fence {number} NOT NULL DEFAULT 0, worker {text} NOT NULL DEFAULT '',
         created {number} NOT NULL, due {number} NOT NULL, begun {number}, ended {number},
         lease_until {number} NOT NULL DEFAULT 0, wants_end {number} NOT NULL DEFAULT 0)""",
    "CREATE UNIQUE INDEX jobs_one_of_a_lane ON jobs (lane) WHERE state = 'running'",
    "CREATE INDEX jobs_by_due ON jobs (due, number) WHERE state IN ('waiting', 'running')",
    "CREATE INDEX jobs_by_end ON jobs (ended)",
)

NIGHTS: Final = (
    # When and how a district's files come. zone: an IANA time zone. rule: marker, quiet, closed or at; an upload is
    # complete when the file `marker` came, when no file changed for quiet_minutes, when its SFTP session closed, or
    # at the time `at`. days: school days as words between blanks. late_after: the time after which files are late.
    # fired: the last local day on which `at` was done.
    """CREATE TABLE schedules (
         district {number} PRIMARY KEY REFERENCES districts (number), zone {text} NOT NULL, folder {text} NOT NULL,
         rule {text} NOT NULL, marker {text} NOT NULL, quiet_minutes {number} NOT NULL, at {text} NOT NULL,
         late_after {text} NOT NULL, days {text} NOT NULL, keep_days {number} NOT NULL,
         fired {text} NOT NULL DEFAULT '', created {number} NOT NULL)""",
    # Days without school, first to last, as YYYY-MM-DD.
    """CREATE TABLE days_off (
         district {number} NOT NULL REFERENCES districts (number), first {text} NOT NULL, last {text} NOT NULL,
         PRIMARY KEY (district, first)){clustered}""",
    # Uploads that were complete: the folder that they were moved to, the job that syncs them, and when the files
    # were deleted.
    """CREATE TABLE arrivals (
         number {serial} PRIMARY KEY, district {number} NOT NULL REFERENCES districts (number), place {text} NOT NULL UNIQUE,
         files {number} NOT NULL, bytes {number} NOT NULL, came {number} NOT NULL, job {number}, deleted {number})""",
    "CREATE INDEX arrivals_by_district ON arrivals (district, came)",
    # Accounts of the SFTP server. password: an Argon2id hash, blank for none. keys: public keys, one a line.
    """CREATE TABLE sftp_accounts (
         name {text} PRIMARY KEY, district {number} NOT NULL UNIQUE REFERENCES districts (number), password {text} NOT NULL,
         keys {text} NOT NULL, created {number} NOT NULL)""",
)
