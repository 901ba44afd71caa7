"""What a view shows of a district: what the district shares of it, and what the application asks for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from rollbook.contract.clever.fields import SHAPES, Promise
from rollbook.domain.access import BASIC, LIMITED, SECURE_SYNC, SENSITIVE
from rollbook.domain.kinds import ROLES
from rollbook.domain.shares import Share

# What each scope opens: tables of people, and kinds of records.
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

# Fields that a district may withhold: those of students and contacts that the API does not guarantee, and all
# own fields.
WITHHOLDABLE: tuple[str, ...] = (
    *(
        f"{role}.{field.name}"
        for role, shape in (("student", "Student"), ("contact", "Contact"))
        for field in SHAPES[shape]
        if field.is_on_wire
        and Promise.GUARANTEED not in field.promise
        and field.name not in ("legacy_id", "student_relationships")
    ),
    # It stands beside the role, in the user.
    "contact.email",
    # "Only sent if the app accepts extension fields" (protocol.md 4.3). The first two are fields of a record,
    # not of a role.
    *("school.ext", "section.ext", "teacher.ext", "staff.ext"),
)

# Sensitive fields, and the scope that an application needs to see each: a district opens them one by one,
# none by itself.
SENSITIVE_FIELDS: dict[str, str] = {
    f"student.{field.name}": field.scope for field in SHAPES["Student"] if field.scope
}

# Fields that an application may ask for: what the API guarantees it gets in any case.
ASKABLE: tuple[str, ...] = tuple(dict.fromkeys((*WITHHOLDABLE, *SENSITIVE_FIELDS)))

# The scope that opens a sensitive field, by the field's name.
SCOPE_OF = {field.name: field.scope for shape in SHAPES.values() for field in shape if field.scope}
# The fields of each role, sensitive ones also where no role of ours has them, and of the kinds that have some
# to hide.
_FIELDS = {
    **{
        role.name: tuple(dict.fromkeys((*(field.name for field in SHAPES[role.shape]), *SCOPE_OF)))
        for role in ROLES
    },
    **{name: tuple(field.name for field in SHAPES[name.title()]) for name in ("school", "section")},
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a view shows: what a district shares of it, and what its application asks for.

    The application's side: its scopes, and the fields it does not ask for (`unasked`). The district's side: a
    share (None: everything), fields it withholds, sensitive fields it opens, and whether ids of unshared
    people stay inside shared records (`keeps_ids`). Fields are named with their role, such as `student.dob`;
    those of schools and sections with the kind.
    """

    scopes: tuple[str, ...] = SECURE_SYNC
    share: Share | None = None
    withheld: tuple[str, ...] = ()
    keeps_ids: bool = False
    sensitive: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()

    @property
    def shows_everybody(self) -> bool:
        """Whether nobody, no role of anybody and no id is kept back; kinds and fields may be."""
        return self.share is None and all(scope in self.scopes for scope in ROLES_OF_SCOPES)

    def hides(self, role: str, field: str) -> bool:
        """Whether a field of a role is not to be seen: withheld, not asked for, or sensitive and not opened
        by both sides."""
        scope, named = SCOPE_OF.get(field), f"{role}.{field}"
        is_closed = scope is not None and not (scope in self.scopes and f"student.{field}" in self.sensitive)
        return is_closed or named in self.withheld or named in self.unasked

    def hidden_of(self, name: str) -> tuple[str, ...]:
        """The fields of a role, or of a kind in the singular, that `hides` tells of, by their own names."""
        return tuple(field for field in _FIELDS[name] if self.hides(name, field))

    def differs_in(self, version: str) -> bool:
        """Whether a version shows a person otherwise than the first one does: a field that it has alone, or
        has other words for, is not hidden."""
        return any(
            field.differs_in(version) and not self.hides(role.name, field.name)
            for role in ROLES
            for field in SHAPES[role.shape]
        )

    @staticmethod
    def of(scopes: tuple[str, ...], asked: Collection[str] = (), refused: Collection[str] = ()) -> Shown:
        """Everything that scopes open, of the fields asked for (none named of a role: all of them) but for
        those refused.

        An application of a smaller tier reads people from the view of everything, and cuts them. Its scopes
        tell: those of the smaller tiers are in no other.
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
        """The fields that `hides` tells of, by their names with the role."""
        closed = (field for field in SENSITIVE_FIELDS if self.hides(*field.split(".")))
        return tuple(dict.fromkeys((*self.withheld, *self.unasked, *closed)))
