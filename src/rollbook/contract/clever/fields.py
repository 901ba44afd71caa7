"""Every field of every record, as a row: type, words, promises, scope, and the roster column that fills it.

A shape is a named tuple of fields. The JSON that a sync stores, the OpenAPI document, the reference pages and
many tests are made from these rows. Sources: the published OpenAPI files for names, enums and flags; recorded
answers of the real API for the fields that it really sends. `ABSENT` marks a field that the files list and
the wire never has.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Flag, auto
from importlib.resources import files


class Promise(Flag):
    """What the API promises about a field."""

    NONE = 0
    GUARANTEED = auto()  # always has a value
    NULLABLE = auto()  # may be "" or absent; never null on the wire
    VALIDATED = auto()  # its form is checked before it is served
    ABSENT = auto()  # in the published files, never on the wire: left out here, too


G, N, V, ABSENT = Promise.GUARANTEED, Promise.NULLABLE, Promise.VALIDATED, Promise.ABSENT
NONE = Promise.NONE


# The first version of the API that this server speaks.
FIRST = "3.0"


def number(version: str) -> tuple[int, ...]:
    """A version as a tuple of numbers, which compare in the order of versions."""
    return tuple(int(part) for part in version.split("."))


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a shape.

    `type` is string, boolean, object or array. `of` is the shape of an object, or of an array's items (None:
    strings). `column` is the roster column that is copied into the field (`rollbook.contract.clever.columns`
    has its CSV header); None: the value is derived. `scope` is the extra scope that a token needs to see the
    field. `since` is the first API version with the field. `published`: the first version's files list the
    field. `later`: another version whose files list it, and its words from that version on.
    """

    name: str
    type: str = "string"
    promise: Promise = NONE
    column: str | None = None
    of: str | None = None
    enum: tuple[str, ...] = ()
    format: str | None = None
    pattern: str | None = None
    scope: str | None = None
    since: str = FIRST
    published: bool = True
    help: str = ""
    later: tuple[str, tuple[str, ...]] | None = None

    @property
    def is_on_wire(self) -> bool:
        return ABSENT not in self.promise

    def is_in(self, version: str) -> bool:
        """Whether a version of the API, such as 3.1, has the field."""
        return number(self.since) <= number(version)

    def is_published(self, version: str) -> bool:
        """Whether the published files of a version list the field."""
        return self.is_in(version) and (self.published or self._is_later(version))

    def words(self, version: str) -> tuple[str, ...]:
        """The words for the field's values in a version; empty if any text is allowed."""
        return self.later[1] if self.later and self._is_later(version) else self.enum

    def differs_in(self, version: str) -> bool:
        """Whether the field has another form in a version than in the first one."""
        return self.is_on_wire and (
            (self.is_in(version) and self.since != FIRST)
            or (self._is_later(version) and self.words(version) != self.enum)
        )

    def _is_later(self, version: str) -> bool:
        return self.later is not None and number(self.later[0]) <= number(version)


@dataclass(frozen=True, slots=True)
class Language:
    """A home language: its served name and code, the other accepted codes, and whether v3.0 has it."""

    name: str
    code: str
    accepted_codes: tuple[str, ...]
    in_v3_0: bool


def _languages() -> tuple[Language, ...]:
    rows = json.loads(files("rollbook.contract").joinpath("data/home-languages.json").read_text("utf-8"))
    return tuple(
        Language(row["name"], row["code"], tuple(row["accepted_codes"]), row["in_v3_0"])
        for row in rows["languages"]
    )


LANGUAGES = _languages()

GRADES = (
    "InfantToddler",
    "Preschool",
    "PreKindergarten",
    "TransitionalKindergarten",
    "Kindergarten",
    *(str(number) for number in range(1, 14)),
    "PostGraduate",
    "Ungraded",
    "Other",
    "",
)
SUBJECTS = (
    "english/language arts",
    "math",
    "science",
    "social studies",
    "language",
    "homeroom/advisory",
    "interventions/online learning",
    "technology and engineering",
    "PE and health",
    "arts and music",
    "other",
    "",
)
RACES = (
    "Caucasian",
    "Asian",
    "Black or African American",
    "American Indian",
    "Hawaiian or Other Pacific Islander",
    "Two or More Races",
    "Unknown",
    "",
)
GENDERS = ("M", "F", "X", "")
YES_NO = ("Y", "N", "")
FRL = ("Free", "Reduced", "Paid", "")
FRL_LATER = ("Free", "Reduced", "Paid", "Other", "")
PHONE_TYPES = ("Cell", "Home", "Work", "Other", "")
RELATIONSHIPS = ("Parent", "Grandparent", "Self", "Aunt/Uncle", "Sibling", "Other", "")
CONTACT_TYPES = ("Parent/Guardian", "Emergency", "Primary", "Secondary", "Family", "Other", "")
STATES = ("running", "pending", "error", "paused", "", "success")
LMS_STATES = (
    "initial_sync_processing",
    "pending_authorization",
    "matching_in_progress",
    "error",
    "disconnected",
    "",
    "success",
)
LMS_TYPES = ("canvas", "schoology", "google_classroom", "")
LOGIN_METHODS = ("Clever Badges", "Canvas", "Clever Passwords", "Google", "LDAP", "SAML", "Other")
STAFF_ROLES = ("PortalOnly", "SchoolTechLead")
DISABILITIES = {
    "aut": "Autism",
    "db": "Deaf-blindness",
    "dd": "Developmental delay",
    "emn": "Emotional disturbance",
    "hi": "Hearing impairment",
    "id": "Intellectual Disability",
    "md": "Multiple disabilities",
    "oi": "Orthopedic impairment",
    "ohi": "Other health impairment",
    "sld": "Specific learning disability",
    "sli": "Speech or language impairment",
    "tbi": "Traumatic brain injury",
    "vi": "Visual impairment",
    "other": "Other",
}
DOB = r"(?:[0-9]{1,2})/([0-9]{1,2})/([0-9]{4})"

_ID = Field("id", promise=G | V, help="24 hex characters, unique over all districts and kinds, never reused.")
_DISTRICT = Field("district", promise=G | V, help="Id of the district.")
_CREATED = Field("created", promise=G | V, format="datetime", help="When the record appeared, UTC.")
_MODIFIED = Field(
    "last_modified", promise=G | V, format="datetime", help="When a field of the record last changed, UTC."
)
_EXT = Field(
    "ext",
    "object",
    column="ext",
    help="The district's own `ext.` columns, as text; `{}` when there are none.",
)
_CREDENTIALS = Field(
    "credentials", "object", of="Credentials", help="How the district knows the person's login."
)
_NAME = Field("name", "object", G, of="Name")
_LEGACY = Field("legacy_id", promise=G | V, help="Id of this one role; stays when roles merge or split.")
_SPEC_CREATED = Field("created", promise=V | ABSENT, format="datetime")
_SPEC_MODIFIED = Field("last_modified", promise=V | ABSENT, format="datetime")
_SCHOOL = Field("school", promise=G | V, column="school", help="Id of the primary school.")
_SCHOOLS = Field("schools", "array", G | V, help="Ids of all schools of the person.")

SHAPES: dict[str, tuple[Field, ...]] = {
    "District": (
        Field("id", promise=G | V, help=_ID.help),
        Field("name", promise=G, help="Name of the district; a demo's name holds `#DEMO`."),
        Field("sis_type", promise=G | V, help="Where the roster comes from: `sftp` for files."),
        Field(
            "state",
            promise=N | V,
            enum=STATES,
            help="running and success: healthy; pending: the district can mend it.",
        ),
        Field("error", help='What is wrong, for people; "" when nothing is.'),
        Field("last_sync", promise=N | V, format="datetime", help="When the last sync was committed."),
        Field("launch_date", promise=G | V, format="date", help="When the district went live, YYYY-MM-DD."),
        Field("login_methods", "array", G | V, help="How people of the district log in."),
        Field("portal_url", promise=G, help="Login address of the district."),
        Field(
            "district_contact",
            "object",
            of="DistrictContact",
            help="Owner of the district's account; absent without one. Every application reads it.",
        ),
        Field("mdr_number", promise=N),
        Field("nces_id", promise=N),
        Field("pause_start", promise=N | V, format="datetime", help="First day of a pause, YYYY-MM-DD."),
        Field("pause_end", promise=N | V, format="datetime", help="Last day of a pause, YYYY-MM-DD."),
        Field("last_attendance_sync", promise=N | V, format="datetime", since="3.1"),
        Field("lms_state", promise=N | V, enum=LMS_STATES, since="3.1"),
        Field("lms_type", promise=N | V, enum=LMS_TYPES, since="3.1"),
    ),
    "DistrictContact": (
        Field("id", promise=V, help="Id of the contact person's record."),
        Field("district", promise=V, help=_DISTRICT.help),
        Field("name", "object", of="Name"),
        Field("email", promise=N),
        Field("title", promise=V),
    ),
    "School": (
        _ID,
        _DISTRICT,
        Field("name", promise=G, column="name"),
        Field("sis_id", promise=G, column="key", help="The school's id in the SIS."),
        Field("school_number", promise=G, column="school_number"),
        Field("state_id", promise=N, column="state_id"),
        Field(
            "nces_id",
            promise=N,
            column="nces_id",
            help="Number of the National Center for Education Statistics.",
        ),
        Field("mdr_number", promise=N, help="Number of Market Data Retrieval; no file carries it."),
        Field("low_grade", promise=N | V, column="low_grade", enum=GRADES),
        Field("high_grade", promise=N | V, column="high_grade", enum=GRADES),
        Field("phone", promise=N, column="phone", help="`(NNN) NNN-NNNN`."),
        Field("location", "object", N, of="Location"),
        Field("principal", "object", of="Principal"),
        _EXT,
        _CREATED,
        _MODIFIED,
    ),
    "Location": (
        Field("address", promise=N, column="address"),
        Field("city", promise=N, column="city"),
        Field("state", promise=N, column="state"),
        Field("zip", promise=N, column="zip"),
        Field("lat", promise=N | ABSENT),
        Field("lon", promise=N | ABSENT),
    ),
    "Principal": (
        Field("name", promise=N, column="principal_name"),
        Field("email", promise=N, column="principal_email"),
    ),
    "Term": (
        _ID,
        _DISTRICT,
        Field("name", promise=N, column="name"),
        Field("start_date", promise=N | V, column="start_date", format="datetime", help="YYYY-MM-DD."),
        Field("end_date", promise=N | V, column="end_date", format="datetime", help="YYYY-MM-DD."),
    ),
    "Course": (
        _ID,
        _DISTRICT,
        Field("name", promise=N, column="name"),
        Field("number", promise=N, column="number"),
    ),
    "Section": (
        _ID,
        _DISTRICT,
        Field("school", promise=G | V, column="school", help="Id of the section's school."),
        Field("name", promise=G, column="name", help="Course, teacher and period, or the SIS's own name."),
        Field("sis_id", promise=G, column="key", help="The section's id in the SIS."),
        Field("course", promise=N | V, column="course", help="Id of the course; absent without one."),
        Field("term_id", promise=N | V, column="term", help="Id of the term; absent without one."),
        Field("section_number", promise=N, column="section_number"),
        Field("period", promise=N, column="period"),
        Field("grade", promise=N | V, column="grade", enum=GRADES),
        Field("subject", promise=G | N | V, column="subject", enum=SUBJECTS),
        Field("teacher", promise=G | N | V, help="Id of the primary teacher: the first of `teachers`."),
        Field("teachers", "array", G | V, help="Ids: the primary teacher, then co-teachers; at most ten."),
        Field("students", "array", G | V, help="Ids in ascending order; at least one."),
        _EXT,
        Field("lms_status", "object", N, of="LmsStatus", since="3.1"),
        _CREATED,
        _MODIFIED,
    ),
    "User": (
        _ID,
        _DISTRICT,
        Field("email", promise=N, column="email", help="As the SIS has it; not checked."),
        _NAME,
        Field("roles", "object", of="Roles", help="Only the roles the person holds appear."),
        Field("lms_status", "object", N, of="LmsStatus", since="3.1"),
        _CREATED,
        _MODIFIED,
    ),
    "Name": (
        Field("first", promise=N, column="first"),
        Field("last", promise=N, column="last", help="A contact has only this: the full name."),
        Field("middle", promise=N, column="middle"),
    ),
    "Roles": (
        Field("student", "object", N, of="Student"),
        Field("teacher", "object", N, of="Teacher"),
        Field("staff", "object", N, of="Staff"),
        Field("district_admin", "object", N, of="DistrictAdmin"),
        Field("contact", "object", N, of="Contact"),
    ),
    "Student": (
        Field("sis_id", promise=G, column="key", help="The student's id in the SIS."),
        Field("student_number", promise=N, column="student_number"),
        Field("state_id", promise=N, column="state_id"),
        Field("email", column="email", published=False, help="The same as the user's own `email`."),
        _CREDENTIALS,
        _SCHOOL,
        _SCHOOLS,
        Field("grade", promise=N | V, column="grade", enum=GRADES),
        Field("graduation_year", promise=N | V, column="graduation_year"),
        Field("dob", promise=N | V, column="dob", pattern=DOB, help="M/D/YYYY, not padded."),
        Field("gender", promise=N | V, column="gender", enum=GENDERS),
        Field("race", promise=N | V, column="race", enum=RACES),
        Field("hispanic_ethnicity", promise=N | V, column="hispanic_ethnicity", enum=YES_NO),
        Field("location", "object", N, of="Location"),
        Field("unweighted_gpa", column="unweighted_gpa", published=False),
        Field("weighted_gpa", column="weighted_gpa", published=False),
        Field(
            "enrollments",
            "array",
            G | V,
            of="SchoolEnrollment",
            help="`[]` unless the district derives spans.",
        ),
        _EXT,
        Field("ell_status", promise=N | V, column="ell_status", enum=YES_NO, scope="read:ell_status"),
        Field(
            "frl_status",
            promise=N | V,
            column="frl_status",
            enum=FRL,
            scope="read:frl_status",
            published=False,
            later=("3.1", FRL_LATER),
            help='From v3.1 on also `Other`, which is `""` before.',
        ),
        Field(
            "iep_status",
            promise=N,
            column="iep_status",
            scope="read:iep_status",
            published=False,
            later=("3.1", ()),
        ),
        Field(
            "home_language",
            promise=N | V,
            column="home_language",
            enum=(*(language.name for language in LANGUAGES if language.in_v3_0), ""),
            scope="read:home_language",
            published=False,
            later=("3.1", tuple(language.name for language in LANGUAGES)),
            help='From v3.1 on one of 152 names; those that v3.0 does not have are `""` there.',
        ),
        Field(
            "home_language_code",
            promise=N | V,
            column="home_language_code",
            enum=tuple(language.code for language in LANGUAGES),
            scope="read:home_language",
            since="3.1",
        ),
        Field(
            "gifted_status",
            promise=N | V,
            column="gifted_status",
            enum=YES_NO,
            scope="read:gifted_status",
            since="3.1",
        ),
        Field(
            "section_504_status",
            promise=N | V,
            column="section_504_status",
            enum=YES_NO,
            scope="read:section_504_status",
            since="3.1",
        ),
        Field("disability", "object", of="Disability", scope="read:disability", since="3.1"),
        Field("preferred_name", "object", of="PreferredName", scope="read:preferred_name", since="3.1"),
        Field("legacy_id", promise=V | ABSENT),
        _SPEC_CREATED,
        _SPEC_MODIFIED,
    ),
    "Teacher": (
        Field("sis_id", promise=G, column="key", help="The teacher's id in the SIS."),
        Field("teacher_number", promise=N, column="teacher_number"),
        Field("state_id", promise=N, column="state_id"),
        Field("title", promise=N, column="title"),
        Field("credentials", "object", N, of="Credentials", help=_CREDENTIALS.help),
        _SCHOOL,
        _SCHOOLS,
        _LEGACY,
        _EXT,
        Field("district", promise=V | ABSENT),
        Field("name", "object", ABSENT, of="Name"),
        _SPEC_CREATED,
        _SPEC_MODIFIED,
    ),
    "Staff": (
        Field("staff_id", promise=G, column="key", help="The person's id in the SIS."),
        Field("department", promise=N, column="department"),
        Field("title", promise=N, column="title"),
        _CREDENTIALS,
        Field("roles", "array", G | V, enum=STAFF_ROLES, help="`PortalOnly`, or `SchoolTechLead`."),
        Field("schools", "array", G | V, help="Ids of the person's schools; none of them is primary."),
        _LEGACY,
        _EXT,
    ),
    "DistrictAdmin": (
        Field("title", promise=N, column="title"),
        _LEGACY,
    ),
    "Contact": (
        Field(
            "sis_id", promise=N, column="sis_id", help='The contact\'s id in the SIS; "" when it has none.'
        ),
        Field("phone", promise=N, column="phone", help="`(NNN) NNN-NNNN`, or `1-(NNN) NNN-NNNN`."),
        Field("phone_type", promise=N | V, column="phone_type", enum=PHONE_TYPES),
        Field(
            "student_relationships",
            "array",
            V,
            of="StudentRelationship",
            help="One entry for each appearance in the SIS.",
        ),
        Field("legacy_id", promise=V, help=_LEGACY.help),
    ),
    "StudentRelationship": (
        Field("student", promise=V, help="Id of the student."),
        Field("relationship", promise=N | V, enum=RELATIONSHIPS),
        Field("type", promise=N | V, enum=CONTACT_TYPES),
    ),
    "SchoolEnrollment": (
        Field("school", promise=V),
        Field("start_date", promise=V, format="datetime"),
        Field("end_date", promise=V, format="datetime"),
    ),
    "Credentials": (Field("district_username", column="district_username"),),
    "Resource": (
        Field("id", promise=G, help=_ID.help),
        Field("district", promise=G, help=_DISTRICT.help),
        Field("resource_id", promise=G, column="key", help="The application's own id."),
        Field("title", promise=G, column="title"),
        Field("roles", "array", G, enum=("teacher", "student"), help="Who may use it."),
        Field("created", promise=G, format="date-time", help=_CREATED.help),
        Field("updated", promise=G, format="date-time", help=_MODIFIED.help),
    ),
    "Disability": (
        Field("disability_status", promise=N, column="disability_status", enum=YES_NO, since="3.1"),
        Field(
            "disability_type",
            promise=N,
            column="disability_type",
            enum=tuple(DISABILITIES.values()),
            since="3.1",
        ),
        Field("disability_code", promise=N, column="disability_code", enum=tuple(DISABILITIES), since="3.1"),
    ),
    "PreferredName": (
        Field("first", promise=N, column="preferred_first", since="3.1"),
        Field("middle", promise=N, column="preferred_middle", since="3.1"),
        Field("last", promise=N, column="preferred_last", since="3.1"),
    ),
    "LmsStatus": (Field("synced_in_lms", "boolean", since="3.1"),),
}
