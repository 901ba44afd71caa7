"""The command line: a table of commands, each loaded when it is called, so that `--help` and a small server
stay light."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from rollbook import __version__, settings
from rollbook.commands import terminal_guard
from rollbook.errors import RollbookError, SyncHeld

# The exit code of what is held, or as a plan would be: nothing is wrong with the command, and somebody is to
# decide.
HELD = 3

# Command -> the module and function it lives in.
COMMANDS: dict[str, str] = {
    "demo": "rollbook.commands.demo:demo",
    "serve": "rollbook.commands.serve:serve",
    "generate": "rollbook.commands.generate:generate",
    "check": "rollbook.commands.check:check",
    "district": "rollbook.commands.district:district",
    "sync": "rollbook.commands.sync:sync",
    "status": "rollbook.commands.status:status",
    "approve": "rollbook.commands.history:approve",
    "discard": "rollbook.commands.history:discard",
    "undo": "rollbook.commands.history:undo",
    "history": "rollbook.commands.history:show_history",
    "pause": "rollbook.commands.history:pause",
    "resume": "rollbook.commands.history:resume",
    "thresholds": "rollbook.commands.history:show_thresholds",
    "rules": "rollbook.commands.rules:show_rules",
    "events": "rollbook.commands.history:events",
    "clone": "rollbook.commands.clone:clone",
    "application": "rollbook.commands.application:application",
    "connect": "rollbook.commands.sharing:connect",
    "disconnect": "rollbook.commands.sharing:disconnect",
    "share": "rollbook.commands.sharing:share",
    "shares": "rollbook.commands.sharing:shares",
    "thaw": "rollbook.commands.sharing:thaw",
    "token": "rollbook.commands.identity:token",
    "sign-out": "rollbook.commands.identity:sign_out",
    "badge": "rollbook.commands.identity:badge",
    "provider": "rollbook.commands.identity:provider",
    "key": "rollbook.commands.identity:key",
    "audit": "rollbook.commands.identity:show_audit",
    "log": "rollbook.commands.log:log",
    "settings": "rollbook.commands.settings:settings",
}


class Commands(click.Group):
    """The table as a click group."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rollbook")
def rollbook() -> None:
    """Rollbook: an open K-12 rostering server that speaks the Clever API v3.0."""
    for name, meant in settings.unknown(os.environ).items():
        click.echo(
            f"rollbook: {name} is no setting and was ignored{f'; did you mean {meant}?' if meant else ''}",
            err=True,
        )


def main() -> None:
    """Run the program: exit code 0, or 1 with one clear line (2 for a command line that cannot be read, 3 for
    what is held)."""
    # Pupils' data: whatever the program and its children make is their owner's alone.
    os.umask(os.umask(0o077) | 0o077)
    with terminal_guard.guarded():
        try:
            rollbook(prog_name="rollbook")
        except RollbookError as error:
            click.echo(f"rollbook: {error}", err=True)
            sys.exit(HELD if isinstance(error, SyncHeld) else 1)
        except (
            UnicodeEncodeError
        ) as error:  # an argument or a setting that is no text, which only a path may be
            click.echo(f"rollbook: expected text in UTF-8, got {os.fsencode(error.object)!r}", err=True)
            sys.exit(1)
