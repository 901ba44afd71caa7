"""Acts of the console: each checks the role of the person who acts, and leaves a row in the audit trail.

`do` calls a function of `operations` for a person. It refuses a function without a row in `ACTS`, so a new
act must first say who may do it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, ParamSpec, TypeVar

from rollbook.domain.actors import DEVELOPER, Actor
from rollbook.errors import Forbidden, RollbookError, Unknown
from rollbook.operations import (
    connecting,
    district_setup,
    file_arrivals,
    job_control,
    keeping_ids,
    people_access,
    portals,
    registering,
    run_decisions,
    scheduling,
    service_tests,
    share_edits,
    sign_in_setup,
    subscribing,
    team,
    uploads,
)
from rollbook.operations.noted_database import NotedDatabase
from rollbook.store.accounts import applications, audit
from rollbook.store.accounts.applications import Application
from rollbook.store.district import choices, districts, thresholds
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database, Transaction

Given = ParamSpec("Given")
Result = TypeVar("Result")
State = Callable[[Database, District], object]


@dataclass(frozen=True, slots=True)
class Act:
    """One act: its name in the audit trail, and the permission that it needs.

    `state` reads what the act changes, so that the trail shows it before and after. `says` names the
    arguments that the trail may quote: never a password, a token or a row of a file.
    """

    name: str
    needs: str
    state: State | None = None
    says: tuple[str, ...] = ()


def _limits(database: Database, owner: District) -> object:
    return {
        kind: {"updated": limit.updated, "deleted": limit.deleted}
        for kind, limit in thresholds.read(database, owner).items()
    }


def _rules(database: Database, owner: District) -> object:
    return choices.read(database, owner).switches()


def _pause(_: Database, owner: District) -> object:
    return {"from": owner.pause_start, "until": owner.pause_end}


def _schedule(database: Database, owner: District) -> object:
    found = scheduling.read(database, owner.name)
    # Not the folder: a district reads its trail, and a path of the server's machine is not for it.
    return found and {"at": found.at, "rule": found.rule, "has_folder": bool(found.folder)}


ACTS: Final[Mapping[Callable[..., Any], Act]] = {
    district_setup.create: Act("district made", "make districts", says=("name",)),
    district_setup.name_contact: Act("contact named", "change settings"),
    district_setup.set_limits: Act("limits set", "change settings", _limits, ("kind",)),
    district_setup.set_rules: Act("reading rules set", "change settings", _rules),
    run_decisions.approve: Act("held sync approved", "change the roster", says=("run",)),
    keeping_ids.keep: Act("held sync approved with kept ids", "change the roster", says=("run",)),
    run_decisions.discard: Act("held sync discarded", "change the roster", says=("run",)),
    run_decisions.undo: Act("sync undone", "change the roster", says=("run",)),
    run_decisions.pause: Act("pause set", "change settings", _pause),
    run_decisions.resume: Act("pause ended", "change settings", _pause),
    scheduling.change: Act("schedule set", "change settings", _schedule),
    scheduling.remove: Act("schedule dropped", "change settings", _schedule),
    uploads.plan: Act("upload checked", "change the roster"),
    uploads.queue: Act("upload queued", "change the roster"),
    uploads.sync: Act("upload synced", "change the roster"),
    file_arrivals.open_file: Act("file downloaded", "change the roster", says=("name", "file")),
    job_control.queue_sync: Act("sync queued", "change the roster"),
    people_access.mint_token: Act("user token minted", "change sharing", says=("application",)),
    people_access.sign_out: Act("person signed out", "help people", says=("user",)),
    portals.as_person: Act("portal seen as a person", "help people", says=("user",)),
    sign_in_setup.print_badges: Act("badges printed", "help people"),
    sign_in_setup.revoke_badge: Act("badge revoked", "help people", says=("user",)),
    sign_in_setup.set_provider: Act("sign-in service set", "change settings"),
    service_tests.try_provider: Act("sign-in service tested", "change settings"),
    sign_in_setup.remove_provider: Act("sign-in service removed", "change settings"),
    connecting.connect: Act("application connected", "change sharing", says=("application",)),
    connecting.connect_new: Act("application connected", "change sharing", says=("application",)),
    connecting.disconnect: Act("application disconnected", "change sharing", says=("application",)),
    share_edits.share: Act("share set", "change sharing", says=("application",)),
    share_edits.revert: Act("share reverted", "change sharing", says=("application", "line")),
    share_edits.thaw: Act("view thawed", "change sharing", says=("application",)),
    team.invite: Act("person invited", "change the team", says=("name", "role")),
    team.reset: Act("person's password reset", "change the team", says=("name",)),
    team.remove: Act("person removed", "change the team", says=("name",)),
    subscribing.choose: Act("mail chosen", "choose mail", says=("name", "choice")),
    subscribing.send_test: Act("test mail sent", "choose mail", says=("name",)),
    subscribing.add_webhook: Act("webhook added", "change webhooks", says=("url",)),
    subscribing.change_webhook: Act("webhook changed", "change webhooks", says=("number",)),
    subscribing.remove_webhook: Act("webhook removed", "change webhooks", says=("number",)),
    subscribing.test_webhook: Act("webhook tested", "change webhooks", says=("number",)),
    subscribing.send_again: Act("delivery sent again", "change webhooks", says=("number",)),
    registering.register: Act("application registered", "change applications"),
    registering.change: Act("application changed", "widen applications", says=("application",)),
    registering.change_own: Act("application changed", "change applications", says=("application",)),
    registering.remove: Act("application removed", "change applications", says=("application",)),
    registering.give: Act("application given", "give applications", says=("application", "owner")),
    registering.take: Act("application taken", "give applications", says=("application", "owner")),
    registering.rotate_secret: Act(
        "application's secret renewed", "change applications", says=("application",)
    ),
}


def do(actor: Actor, act: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
    """Do an act for a person, and note it in the audit trail with the person's name.

    Errors: Forbidden, Unknown for a district that the person does not see; those of the act.
    """
    row = ACTS.get(act)
    if row is None:
        raise Forbidden(f"{act.__name__} is no act of the console")
    given = inspect.signature(act).bind(*args, **kwargs).arguments
    database: Database = given["database"]
    named = given.get("district")
    owner = check(actor, row.needs, database, str(named)) if named is not None else None
    if owner is None:
        check_all(actor, row.needs)
    if "application" in given and owner is None:
        check_application(actor, database, str(given["application"]))
    if given.get("is_plan") or getattr(given.get("how"), "is_plan", False):
        return act(*args, **kwargs)
    said = {name: given[name] for name in row.says if name in given}
    trail = ActRow(actor, row, owner, said, _application(database, said))
    noted = NotedDatabase(database, trail)
    # `bind` has named the arguments, so the database can be replaced wherever it stands.
    bound = inspect.signature(act).bind(*args, **kwargs)
    bound.arguments["database"] = noted
    try:
        done = act(*bound.args, **bound.kwargs)
    except RollbookError:
        if noted.has_row:
            trail.stop(database)
        raise
    if not noted.has_row:
        # The act has changed nothing in the database, so its row has no transaction to stand in.
        with noted.write():
            pass
    return done


@dataclass(slots=True)
class ActRow:
    """The row of an act in the audit trail: who did it, and what it changed. `number` is that of the written row."""

    actor: Actor
    act: Act
    owner: District | None
    said: Mapping[str, Any]
    application: int | None
    before: object = None
    number: int = 0

    def begin(self, inside: Database) -> None:
        # A transaction that was refused may be tried again: its row is gone.
        self.number, self.before = 0, self._state(inside)

    def note(self, transaction: Transaction, inside: Database) -> None:
        changed: dict[str, Any] = {}
        if self.act.state is not None:
            changed = {"before": self.before, "after": self._state(inside)}
        if self.number:
            audit.add_detail(transaction, self.number, **changed)
            return
        told = {name: value for name, value in self.said.items() if name != "application"}
        self.number = audit.record(
            transaction,
            self.act.name,
            district=self.owner.number if self.owner else None,
            application=self.application,
            address=self.actor.address,
            by=self.actor.name,
            **told,
            **changed,
        )

    def stop(self, database: Database) -> None:
        """Note that an act of several transactions ended before the last one."""
        with database.write() as transaction:
            audit.add_detail(transaction, self.number, is_complete=False)

    def _state(self, inside: Database) -> object:
        if self.act.state is None or self.owner is None:
            return None
        return self.act.state(inside, districts.find(inside, self.owner.id))


def check(actor: Actor, permission: str, database: Database, district: str) -> District:
    """The district (name or id), for a person who has the permission there.

    Errors: Unknown if it does not exist or belongs to others, with the same words; Forbidden.
    """
    unseen = Unknown(f"no district has the name or id {district!r}")
    try:
        owner = districts.find(database, district)
    except Unknown:
        raise unseen from None
    if actor.district not in (None, owner.number):
        raise unseen
    if not actor.may(permission, owner.number):
        raise _refusal(actor, permission)
    return owner


def check_all(actor: Actor, permission: str) -> None:
    """Check that a person has the permission on the whole server. Errors: Forbidden."""
    if not actor.may(permission):
        raise _refusal(actor, permission)


def check_application(actor: Actor, database: Database, application: str) -> Application:
    """The application (name or client id), for a person who may see it: developers see their own ones.

    Errors: Unknown if it does not exist or is another developer's, with the same words.
    """
    unseen = Unknown(f"no application has the name or client id {application!r}")
    try:
        found = applications.find(database, application)
    except Unknown:
        raise unseen from None
    if actor.role == DEVELOPER and found.client_id not in registering.of_developer(database, actor.number):
        raise unseen
    return found


def _refusal(actor: Actor, permission: str) -> Forbidden:
    return Forbidden(f"Your role is {actor.role}. It has no permission to {permission}.")


def _application(database: Database, said: Mapping[str, Any]) -> int | None:
    """The number of the application that an act named; None if it named none that is known."""
    try:
        return applications.find(database, said["application"]).number if "application" in said else None
    except Unknown:
        return None
