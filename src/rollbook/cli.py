"""The command line: a table of commands.

Each command is loaded when it is called, so `--help` and a small server stay light.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from rollbook import __version__, settings
from rollbook.commands import terminal_guard
from rollbook.errors import RollbookError, SyncHeld

# The exit code if a sync is held, or would be in a plan. The command worked, and an operator must decide.
HELD = 3

# Command -> its module and function, and its line in `rollbook --help`, which loads no command.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("demo:demo", "Serve invented districts to try Rollbook with."),
    "rehearse": ("rehearse:rehearse", "Play scenes for an APPLICATION of a running demo."),
    "serve": ("serve:serve", "Serve the API."),
    "operator": ("operator:operator", "Add, list, reset and remove the people of the console."),
    "mail": ("mail:mail", "Choose who gets mail about which topics, and see what was sent."),
    "webhook": ("webhook:webhook", "Call other programs when something happens."),
    "work": ("work:work", "Do the jobs of the queue."),
    "jobs": ("jobs:jobs", "List the newest jobs."),
    "schedule": ("schedule:schedule", "Show or set how the files of a DISTRICT come."),
    "sftp": ("sftp:sftp", "Let districts upload their files by SFTP."),
    "arrivals": ("arrivals:arrivals", "List the uploads of a DISTRICT (name or id), newest first."),
    "night": ("night:night", "Show what happened since yesterday evening."),
    "generate": ("generate:generate", "Write the SIS files of an invented district into FOLDER."),
    "check": ("check:check", "Verify and check the SIS files in FOLDER, or in a zip file."),
    "district": ("district:district", "Create, list and show districts."),
    "sync": ("sync:sync", "Bring a DISTRICT (name or id) up to date with the SIS files."),
    "status": ("status:status", "Show how all districts stand."),
    "approve": ("history:approve", "Apply the held sync of a DISTRICT (name or id)."),
    "ids": ("ids:ids", "List records of a held sync that come back under other SIS ids."),
    "discard": ("history:discard", "Discard the held sync of a DISTRICT (name or id)."),
    "undo": ("history:undo", "Undo the last committed sync of a DISTRICT (name or id)."),
    "history": ("history:show_history", "List the last runs on a DISTRICT (name or id)."),
    "pause": ("history:pause", "Pause a DISTRICT (name or id)."),
    "resume": ("history:resume", "End the pause of a DISTRICT (name or id)."),
    "thresholds": (
        "history:show_thresholds",
        "Show or set the limits above which a sync of a DISTRICT is held.",
    ),
    "rules": ("rules:show_rules", "Show or set how the files of a DISTRICT are read."),
    "events": ("connection_events:events", "The published changes of a district."),
    "clone": ("clone:clone", "Copy the district of a token from the server at URL."),
    "application": ("application:application", "Register the applications that may read from this server."),
    "connect": ("sharing:connect", "Let an APPLICATION (name or client id) read a DISTRICT."),
    "disconnect": ("sharing:disconnect", "Disconnect an APPLICATION from a DISTRICT."),
    "share": ("sharing:share", "Set what a connected APPLICATION sees of a DISTRICT."),
    "shares": ("sharing:shares", "List the applications that read a DISTRICT (name or id)."),
    "thaw": ("sharing:thaw", "Show an APPLICATION the present state of a DISTRICT again."),
    "schools": ("places:schools", "List the schools of a DISTRICT with their counts."),
    "sections": ("places:sections", "List sections of a DISTRICT and what they lack."),
    "find": ("find:find", "Find people, schools, sections, applications and runs of a DISTRICT."),
    "explain": ("explain:explain", "Say why an APPLICATION sees or does not see a PERSON."),
    "portal": ("portal:portal", "Show the portal as a PERSON of a DISTRICT sees it."),
    "token": ("identity:token", "Mint a user token for a person."),
    "sign-out": ("identity:sign_out", "Sign a person out everywhere."),
    "badge": ("identity:badge", "Badges: printed codes that sign people in."),
    "provider": ("identity:provider", "A district's own sign-in service, such as Google or Entra."),
    "key": ("identity:key", "The keys that sign id tokens."),
    "audit": ("identity:show_audit", "Show who signed in, and every act on tokens."),
    "log": ("log:log", "Show the last requests to the API, OAuth and sign-in."),
    "backup": ("backup:backup", "Write the whole database into FILE."),
    "backups": ("backups:backups", "Show or set the backups that a worker makes each day."),
    "restore": ("backup:restore", "Restore the backup in FILE into the database."),
    "database": ("database:database", "Copy a database into another one."),
    "settings": ("settings:settings", "Print every setting in force."),
}


class Commands(click.Group):
    """The table as a click group."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(f"rollbook.commands.{module}"), name)
        return command

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rollbook")
def rollbook() -> None:
    """Rollbook: an open K-12 rostering server that speaks the Clever API v3.0."""
    for name, meant in settings.unknown(os.environ).items():
        click.echo(
            f"rollbook: {name} is not a setting and was ignored{f'; did you mean {meant}?' if meant else ''}",
            err=True,
        )


def main() -> None:
    """Run the program.

    Exit codes: 0; 1 with one clear line; 2 for a command line that cannot be read; 3 if a sync is held.
    """
    # Student data: only the owner can read the files that the program and its children make.
    os.umask(os.umask(0o077) | 0o077)
    with terminal_guard.guarded():
        try:
            rollbook(prog_name="rollbook")
        except RollbookError as error:
            click.echo(f"rollbook: {error}", err=True)
            sys.exit(HELD if isinstance(error, SyncHeld) else 1)
        except (
            UnicodeEncodeError
        ) as error:  # an argument or a setting that is not text; only a path may be bytes
            click.echo(f"rollbook: expected text in UTF-8, got {os.fsencode(error.object)!r}", err=True)
            sys.exit(1)
