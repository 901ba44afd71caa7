"""What a view shows of a district: what the district shares, and what the application asks for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from rollbook.contract.clever.fields import SHAPES, Promise
from rollbook.domain.access import BASIC, LIMITED, SECURE_SYNC, SENSITIVE
from rollbook.domain.kinds import ROLES
from rollbook.domain.shares import Share

# By scope: the tables of people, or the kinds of record, that it opens.
ROLES_OF_SCOPES = {
    "read:students": "students",
    "read:teachers": "teachers",
    "read:school_admins": "staff",
    "read:district_admins": "district_admins",
    "read:student_contacts": "contacts",
}
KINDS_OF_SCOPES = {
    "read:schools": ("schools",),
    "read:sections": ("sections", "terms", "courses"),
    "read:resources": ("resources",),
}

# Fields that a district may withhold: fields of students and contacts that the API does not guarantee, and
# all of the district's own fields.
WITHHOLDABLE: tuple[str, ...] = (
    *(
        f"{role}.{field.name}"
        for role, shape in (("student", "Student"), ("contact", "Contact"))
        for field in SHAPES[shape]
        if field.is_on_wire
        and Promise.GUARANTEED not in field.promise
        and field.name not in ("legacy_id", "student_relationships")
    ),
    # It stands beside the role, in the user record.
    "contact.email",
    # "Only sent if the app accepts extension fields" (protocol.md 4.3). The first two are fields of a record,
    # not of a role.
    *("school.ext", "section.ext", "teacher.ext", "staff.ext"),
)

# Sensitive fields, each with the scope that an application needs to see it. A district opens each field
# separately.
SENSITIVE_FIELDS: dict[str, str] = {
    f"student.{field.name}": field.scope for field in SHAPES["Student"] if field.scope
}

# Fields that an application may ask for. It gets guaranteed fields in any case.
ASKABLE: tuple[str, ...] = tuple(dict.fromkeys((*WITHHOLDABLE, *SENSITIVE_FIELDS)))

# The scope that opens a sensitive field, by the field's name.
SCOPE_OF = {field.name: field.scope for shape in SHAPES.values() for field in shape if field.scope}
# The fields of each role, and of the kinds with fields to hide. Sensitive fields are listed even for roles
# that lack them here.
_FIELDS = {
    **{
        role.name: tuple(dict.fromkeys((*(field.name for field in SHAPES[role.shape]), *SCOPE_OF)))
        for role in ROLES
    },
    **{name: tuple(field.name for field in SHAPES[name.title()]) for name in ("school", "section")},
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a view shows: the district's share, and what the application asks for.

    The application's side: its scopes, and the fields that it does not ask for (`unasked`). The district's
    side: a share (None: everything), the fields that it withholds, and the sensitive fields that it opens.
    `keeps_ids` says whether ids of unshared people stay inside shared records. Fields are named with their
    role, such as `student.dob`; fields of schools and sections with the kind.
    """

    scopes: tuple[str, ...] = SECURE_SYNC
    share: Share | None = None
    withheld: tuple[str, ...] = ()
    keeps_ids: bool = False
    sensitive: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()

    @property
    def shows_everybody(self) -> bool:
        """Whether the view shows every person, every role and every id.

        It may still hide kinds and fields.
        """
        return self.share is None and all(scope in self.scopes for scope in ROLES_OF_SCOPES)

    def hides(self, role: str, field: str) -> bool:
        """Whether a role's field is hidden: withheld, not asked for, or sensitive and not opened by both
        sides."""
        scope, named = SCOPE_OF.get(field), f"{role}.{field}"
        is_closed = scope is not None and not (scope in self.scopes and f"student.{field}" in self.sensitive)
        return is_closed or named in self.withheld or named in self.unasked

    def hidden_of(self, name: str) -> tuple[str, ...]:
        """The hidden fields of a role, or of a kind in the singular, without the role in their names."""
        return tuple(field for field in _FIELDS[name] if self.hides(name, field))

    def differs_in(self, version: str) -> bool:
        """Whether a version shows people differently from the first version.

        It does if the view shows a field that only this version has, or that has other words there.
        """
        return any(
            field.differs_in(version) and not self.hides(role.name, field.name)
            for role in ROLES
            for field in SHAPES[role.shape]
        )

    @staticmethod
    def of(scopes: tuple[str, ...], asked: Collection[str] = (), refused: Collection[str] = ()) -> Shown:
        """What the scopes open, with the fields asked for, without those refused.

        If no field of a role is in `asked`, all are asked for. An application of a smaller tier reads people
        from the view of everything and cuts the records itself; its scopes are of that tier alone.
        """
        deciding = tuple(scope for scope in (*SECURE_SYNC, *SENSITIVE) if scope in scopes)
        is_smaller = any(scope in (*BASIC, *LIMITED) and scope not in SECURE_SYNC for scope in scopes)
        listed = {field.partition(".")[0] for field in asked}
        unasked = tuple(
            field
            for field in ASKABLE
            if field in refused or (field.partition(".")[0] in listed and field not in asked)
        )
        return Shown(
            SECURE_SYNC if is_smaller and set(deciding) <= {"read:user_id"} else deciding, unasked=unasked
        )

    @property
    def hidden(self) -> tuple[str, ...]:
        """The hidden fields, named with their role."""
        closed = (field for field in SENSITIVE_FIELDS if self.hides(*field.split(".")))
        return tuple(dict.fromkeys((*self.withheld, *self.unasked, *closed)))
