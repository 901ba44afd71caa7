"""What a connected application sees of a district: set its share, revert to an earlier one, thaw its view."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import orjson

from rollbook import sync
from rollbook.contract.clever import view_spec
from rollbook.domain import shares as share_rules
from rollbook.domain.shares import Share
from rollbook.errors import BadSetting, Refused, Unknown
from rollbook.settings import Settings
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.applications import Application
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.district.views import Spec
from rollbook.store.engine.database import Database
from rollbook.store.records import people_lookup
from rollbook.sync import How, Sync

# The two shares with a name of their own.
WORDS: dict[str, Share | None] = {"everything": None, "nothing": Share()}


@dataclass(frozen=True, slots=True)
class ShareEdit:
    """The changes that an operator makes to a share; None keeps a part unchanged.

    `shared`: everything, nothing, or JSON as `domain.shares.parse` reads it. `withheld`, `sensitive`: the
    whole new lists of field names. `freezes`: whether the view stays unchanged if a run would change too much
    of it. `seen_as`: the mark of the share that the operator saw (`views.share_mark`); blank: any share.
    """

    shared: str | None = None
    withheld: tuple[str, ...] | None = None
    sensitive: tuple[str, ...] | None = None
    keeps_ids: bool | None = None
    freezes: bool | None = None
    seen_as: str = ""


@dataclass(frozen=True, slots=True)
class Edited:
    """The result of an edit, or its preview.

    `is_empty`: the application then sees only the district's own record. `is_held`: nothing was changed,
    because the view is frozen.
    """

    application: Application
    run: Sync

    @property
    def is_empty(self) -> bool:
        return bool(self.run.kinds) and not sum(
            count.existing + count.created - count.deleted
            for kind, count in self.run.kinds.items()
            if kind != "districts"
        )

    @property
    def is_held(self) -> bool:
        return self.run.state == "held"


def share(
    database: Database,
    settings: Settings,
    application: str,
    district: str,
    edit: ShareEdit,
    *,
    is_plan: bool = False,
) -> Edited:
    """Change at once what an application (name or client id) sees of a district (name or id).

    `is_plan`: only report what would change. Errors: Unknown, also for a school that the district does not
    have; BadSetting for an unreadable share or an unknown field; Refused for a withheld field that the
    application requires; Conflict if the share is not the one that the operator saw.
    """
    reader, owner = applications.find(database, application), districts.find(database, district)
    now = sync.seen(database, owner, reader).spec
    wanted = replace(now, share=now.share if edit.shared is None else read_share(edit.shared))
    return _edit(database, settings, (reader, owner), wanted, edit, is_plan=is_plan)


def edited(database: Database, reader: Application, owner: District, now: Spec, edit: ShareEdit) -> Spec:
    """What an application would see after an edit of `now`. Errors: those of `share`."""
    wanted = replace(now, share=now.share if edit.shared is None else read_share(edit.shared))
    return _with_fields(database, (reader, owner), wanted, edit)


def revert(
    database: Database,
    settings: Settings,
    application: str,
    district: str,
    line: int,
    edit: ShareEdit,
    *,
    is_plan: bool = False,
) -> Edited:
    """Share again what a line of the history says, counted from 1; `edit` changes the rest.

    Errors: those of `share`, and Unknown if the history has no such line.
    """
    reader, owner = applications.find(database, application), districts.find(database, district)
    now = sync.seen(database, owner, reader).spec
    past = connections.past_shares(database, reader, owner)
    if not 1 <= line <= len(past):
        raise Unknown(f"share: there is no line {line} in the history; it has {len(past)}")
    wanted = past[line - 1].again(now)
    # Fields that the application requires today cannot be withheld again.
    withheld = wanted.withheld if edit.withheld is None else edit.withheld
    return _edit(
        database, settings, (reader, owner), wanted, replace(edit, withheld=withheld), is_plan=is_plan
    )


def thaw(database: Database, settings: Settings, application: str, district: str) -> Edited:
    """Show an application the present state of a district again.

    Errors: Unknown, Refused if its view is not frozen.
    """
    reader = applications.find(database, application)
    return Edited(reader, sync.thaw(database, districts.find(database, district), reader, settings))


def read_share(text: str) -> Share | None:
    """A share from an operator's text; None for everything. Errors: BadSetting."""
    if text in WORDS:
        return WORDS[text]
    try:
        return share_rules.parse(orjson.loads(text))
    except orjson.JSONDecodeError as error:
        raise BadSetting(f"share: expected everything, nothing, or JSON; {error}") from None


def check_schools(database: Database, owner: District, wanted: Share | None) -> None:
    """Check the schools of a share.

    Errors: Unknown for a school that the district does not have. Before its first sync, any school passes.
    """
    named = share_rules.schools_named(wanted)
    if not named or not owner.snapshot:
        return
    with database.read() as transaction:
        known = people_lookup.school_names(transaction, people_lookup.whole(transaction, owner.number))
    for school in named:
        if school not in known:
            raise Unknown(f"share: {owner.name!r} has no school with the SIS id, name or id {school!r}")


def _edit(
    database: Database,
    settings: Settings,
    pair: tuple[Application, District],
    wanted: Spec,
    edit: ShareEdit,
    *,
    is_plan: bool,
) -> Edited:
    reader, owner = pair
    spec = _with_fields(database, pair, wanted, edit)
    how = How(is_plan=is_plan)
    run = sync.share(database, owner, reader, spec, settings, how, freezes=edit.freezes, seen_as=edit.seen_as)
    return Edited(reader, run)


def _with_fields(
    database: Database, pair: tuple[Application, District], wanted: Spec, edit: ShareEdit
) -> Spec:
    """A spec with the fields of an edit. Errors: those of `share`."""
    reader, owner = pair
    check_schools(database, owner, wanted.share)
    return replace(
        wanted,
        withheld=wanted.withheld if edit.withheld is None else _withheld(reader, edit.withheld),
        sensitive=wanted.sensitive
        if edit.sensitive is None
        else _named("sensitive", edit.sensitive, view_spec.SENSITIVE_FIELDS),
        keeps_ids=wanted.keeps_ids if edit.keeps_ids is None else edit.keeps_ids,
    )


def _withheld(reader: Application, names: tuple[str, ...]) -> tuple[str, ...]:
    """The withheld fields. Errors: Refused for a field that the application requires."""
    for name in names:
        if name in reader.requires:
            raise Refused(
                f"{reader.name!r} requires {name}: what it names as required cannot be withheld from it"
            )
    return _named("withhold", names, view_spec.WITHHOLDABLE)


def _named(option: str, names: tuple[str, ...], known: Collection[str]) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            raise BadSetting(
                f"{option}: {name!r} is not a field for this option; expected none, or some of {', '.join(known)}"
            )
    return tuple(sorted(set(names)))
