"""The records of the API as types.

Made from the contract's rows by `make docs`: to change this file, change the rows. A field that an answer does not
have is None: it is not shared, or the record has none. A field that has no row here is ignored.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record of a kind; `KIND` is the kind's name in paths and events."""

    KIND: ClassVar[str]
    id: str
    """24 hex characters, unique over all districts and kinds, never reused."""


R = TypeVar("R", bound=Record)


class Name(msgspec.Struct, frozen=True, gc=False):
    """A person's name."""

    first: str | None = None
    last: str | None = None
    """A contact has only this: the full name."""
    middle: str | None = None


class DistrictContact(msgspec.Struct, frozen=True, gc=False):
    """The owner of a district's account."""

    id: str | None = None
    """Id of the contact person's record."""
    district: str | None = None
    """Id of the district."""
    name: Name | None = None
    email: str | None = None
    title: str | None = None


class District(Record, frozen=True, gc=False):
    """A district, or a charter network: the owner of all other records."""

    KIND: ClassVar[str] = "districts"
    name: str | None = None
    """Name of the district; a demo's name holds `#DEMO`."""
    sis_type: str | None = None
    """Where the roster comes from: `sftp` for files."""
    state: str | None = None
    """running and success: healthy; pending: the district can mend it. One of `running`, `pending`, `error`,
    `paused`, `""`, `success`.
    """
    error: str | None = None
    """What is wrong, for people; "" when nothing is."""
    last_sync: str | None = None
    """When the last sync was committed."""
    launch_date: str | None = None
    """When the district went live, YYYY-MM-DD."""
    login_methods: list[str] | None = None
    """How people of the district log in."""
    portal_url: str | None = None
    """Login address of the district."""
    district_contact: DistrictContact | None = None
    """Owner of the district's account; absent without one. Every application reads it."""
    mdr_number: str | None = None
    nces_id: str | None = None
    pause_start: str | None = None
    """First day of a pause, YYYY-MM-DD."""
    pause_end: str | None = None
    """Last day of a pause, YYYY-MM-DD."""
    last_attendance_sync: str | None = None
    """From v3.1 on."""
    lms_state: str | None = None
    """One of `initial_sync_processing`, `pending_authorization`, `matching_in_progress`, `error`,
    `disconnected`, `""`, `success`. From v3.1 on.
    """
    lms_type: str | None = None
    """One of `canvas`, `schoology`, `google_classroom`, `""`. From v3.1 on."""


class Location(msgspec.Struct, frozen=True, gc=False):
    """An address."""

    address: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None


class Principal(msgspec.Struct, frozen=True, gc=False):
    """The head of a school."""

    name: str | None = None
    email: str | None = None


class School(Record, frozen=True, gc=False):
    """A school; an office or department may appear as one."""

    KIND: ClassVar[str] = "schools"
    district: str | None = None
    """Id of the district."""
    name: str | None = None
    sis_id: str | None = None
    """The school's id in the SIS."""
    school_number: str | None = None
    state_id: str | None = None
    nces_id: str | None = None
    """Number of the National Center for Education Statistics."""
    mdr_number: str | None = None
    """Number of Market Data Retrieval; no file carries it."""
    low_grade: str | None = None
    high_grade: str | None = None
    phone: str | None = None
    """`(NNN) NNN-NNNN`."""
    location: Location | None = None
    principal: Principal | None = None
    ext: dict[str, Any] | None = None
    """The district's own `ext.` columns, as text; `{}` when there are none."""
    created: str | None = None
    """When the record appeared, UTC."""
    last_modified: str | None = None
    """When a field of the record last changed, UTC."""


class Term(Record, frozen=True, gc=False):
    """A span of dates in which sections meet; made from section rows."""

    KIND: ClassVar[str] = "terms"
    district: str | None = None
    """Id of the district."""
    name: str | None = None
    start_date: str | None = None
    """YYYY-MM-DD."""
    end_date: str | None = None
    """YYYY-MM-DD."""


class Course(Record, frozen=True, gc=False):
    """What sections teach; made from section rows."""

    KIND: ClassVar[str] = "courses"
    district: str | None = None
    """Id of the district."""
    name: str | None = None
    number: str | None = None


class LmsStatus(msgspec.Struct, frozen=True, gc=False):
    """What the learning management system knows."""

    synced_in_lms: bool | None = None
    """From v3.1 on."""


class Section(Record, frozen=True, gc=False):
    """A class: one school, its teachers and its students."""

    KIND: ClassVar[str] = "sections"
    district: str | None = None
    """Id of the district."""
    school: str | None = None
    """Id of the section's school."""
    name: str | None = None
    """Course, teacher and period, or the SIS's own name."""
    sis_id: str | None = None
    """The section's id in the SIS."""
    course: str | None = None
    """Id of the course; absent without one."""
    term_id: str | None = None
    """Id of the term; absent without one."""
    section_number: str | None = None
    period: str | None = None
    grade: str | None = None
    subject: str | None = None
    """One of `english/language arts`, `math`, `science`, `social studies`, `language`, `homeroom/advisory`,
    `interventions/online learning`, `technology and engineering`, `PE and health`, `arts and music`,
    `other`, `""`.
    """
    teacher: str | None = None
    """Id of the primary teacher: the first of `teachers`."""
    teachers: list[str] | None = None
    """Ids: the primary teacher, then co-teachers; at most ten."""
    students: list[str] | None = None
    """Ids in ascending order; at least one."""
    ext: dict[str, Any] | None = None
    """The district's own `ext.` columns, as text; `{}` when there are none."""
    lms_status: LmsStatus | None = None
    """From v3.1 on."""
    created: str | None = None
    """When the record appeared, UTC."""
    last_modified: str | None = None
    """When a field of the record last changed, UTC."""


class Credentials(msgspec.Struct, frozen=True, gc=False):
    """How the district knows a person's login."""

    district_username: str | None = None


class SchoolEnrollment(msgspec.Struct, frozen=True, gc=False):
    """A span of time in a school."""

    school: str | None = None
    start_date: str | None = None
    end_date: str | None = None


class Disability(msgspec.Struct, frozen=True, gc=False):
    """A student's disability."""

    disability_status: str | None = None
    """One of `Y`, `N`, `""`. From v3.1 on."""
    disability_type: str | None = None
    """One of `Autism`, `Deaf-blindness`, `Developmental delay`, `Emotional disturbance`, `Hearing
    impairment`, `Intellectual Disability`, `Multiple disabilities`, `Orthopedic impairment`, `Other
    health impairment`, `Specific learning disability`, `Speech or language impairment`, `Traumatic brain
    injury`, `Visual impairment`, `Other`. From v3.1 on.
    """
    disability_code: str | None = None
    """One of `aut`, `db`, `dd`, `emn`, `hi`, `id`, `md`, `oi`, `ohi`, `sld`, `sli`, `tbi`, `vi`, `other`.
    From v3.1 on.
    """


class PreferredName(msgspec.Struct, frozen=True, gc=False):
    """How a student wants to be called."""

    first: str | None = None
    """From v3.1 on."""
    middle: str | None = None
    """From v3.1 on."""
    last: str | None = None
    """From v3.1 on."""


class Student(msgspec.Struct, frozen=True, gc=False):
    """What a user has as a student."""

    sis_id: str | None = None
    """The student's id in the SIS."""
    student_number: str | None = None
    state_id: str | None = None
    credentials: Credentials | None = None
    """How the district knows the person's login."""
    school: str | None = None
    """Id of the primary school."""
    schools: list[str] | None = None
    """Ids of all schools of the person."""
    grade: str | None = None
    graduation_year: str | None = None
    dob: str | None = None
    """M/D/YYYY, not padded."""
    gender: str | None = None
    """One of `M`, `F`, `X`, `""`."""
    race: str | None = None
    """One of `Caucasian`, `Asian`, `Black or African American`, `American Indian`, `Hawaiian or Other
    Pacific Islander`, `Two or More Races`, `Unknown`, `""`.
    """
    hispanic_ethnicity: str | None = None
    """One of `Y`, `N`, `""`."""
    location: Location | None = None
    unweighted_gpa: str | None = None
    weighted_gpa: str | None = None
    enrollments: list[SchoolEnrollment] | None = None
    """`[]` unless the district derives spans."""
    ext: dict[str, Any] | None = None
    """The district's own `ext.` columns, as text; `{}` when there are none."""
    ell_status: str | None = None
    """One of `Y`, `N`, `""`. Needs the scope `read:ell_status`."""
    frl_status: str | None = None
    """From v3.1 on also `Other`, which is `""` before. One of `Free`, `Reduced`, `Paid`, `Other`, `""`.
    Needs the scope `read:frl_status`.
    """
    iep_status: str | None = None
    """Needs the scope `read:iep_status`."""
    home_language: str | None = None
    """From v3.1 on one of 152 names; those that v3.0 does not have are `""` there. Needs the scope
    `read:home_language`.
    """
    home_language_code: str | None = None
    """Needs the scope `read:home_language`. From v3.1 on."""
    gifted_status: str | None = None
    """One of `Y`, `N`, `""`. Needs the scope `read:gifted_status`. From v3.1 on."""
    section_504_status: str | None = None
    """One of `Y`, `N`, `""`. Needs the scope `read:section_504_status`. From v3.1 on."""
    disability: Disability | None = None
    """Needs the scope `read:disability`. From v3.1 on."""
    preferred_name: PreferredName | None = None
    """Needs the scope `read:preferred_name`. From v3.1 on."""


class Teacher(msgspec.Struct, frozen=True, gc=False):
    """What a user has as a teacher."""

    sis_id: str | None = None
    """The teacher's id in the SIS."""
    teacher_number: str | None = None
    state_id: str | None = None
    title: str | None = None
    credentials: Credentials | None = None
    """How the district knows the person's login."""
    school: str | None = None
    """Id of the primary school."""
    schools: list[str] | None = None
    """Ids of all schools of the person."""
    legacy_id: str | None = None
    """Id of this one role; stays when roles merge or split."""
    ext: dict[str, Any] | None = None
    """The district's own `ext.` columns, as text; `{}` when there are none."""


class Staff(msgspec.Struct, frozen=True, gc=False):
    """What a user has as a staff."""

    staff_id: str | None = None
    """The person's id in the SIS."""
    department: str | None = None
    title: str | None = None
    credentials: Credentials | None = None
    """How the district knows the person's login."""
    roles: list[str] | None = None
    """`PortalOnly`, or `SchoolTechLead`. One of `PortalOnly`, `SchoolTechLead`."""
    schools: list[str] | None = None
    """Ids of the person's schools; none of them is primary."""
    legacy_id: str | None = None
    """Id of this one role; stays when roles merge or split."""
    ext: dict[str, Any] | None = None
    """The district's own `ext.` columns, as text; `{}` when there are none."""


class DistrictAdmin(msgspec.Struct, frozen=True, gc=False):
    """What a user has as a district admin."""

    title: str | None = None
    legacy_id: str | None = None
    """Id of this one role; stays when roles merge or split."""


class StudentRelationship(msgspec.Struct, frozen=True, gc=False):
    """How a contact is related to one student."""

    student: str | None = None
    """Id of the student."""
    relationship: str | None = None
    """One of `Parent`, `Grandparent`, `Self`, `Aunt/Uncle`, `Sibling`, `Other`, `""`."""
    type: str | None = None
    """One of `Parent/Guardian`, `Emergency`, `Primary`, `Secondary`, `Family`, `Other`, `""`."""


class Contact(msgspec.Struct, frozen=True, gc=False):
    """What a user has as a contact."""

    sis_id: str | None = None
    """The contact's id in the SIS; "" when it has none."""
    phone: str | None = None
    """`(NNN) NNN-NNNN`, or `1-(NNN) NNN-NNNN`."""
    phone_type: str | None = None
    """One of `Cell`, `Home`, `Work`, `Other`, `""`."""
    student_relationships: list[StudentRelationship] | None = None
    """One entry for each appearance in the SIS."""
    legacy_id: str | None = None
    """Id of this one role; stays when roles merge or split."""


class Roles(msgspec.Struct, frozen=True, gc=False):
    """The roles of a user; only those that the person holds are there."""

    student: Student | None = None
    teacher: Teacher | None = None
    staff: Staff | None = None
    district_admin: DistrictAdmin | None = None
    contact: Contact | None = None


class User(Record, frozen=True, gc=False):
    """A person, with one to three roles."""

    KIND: ClassVar[str] = "users"
    district: str | None = None
    """Id of the district."""
    email: str | None = None
    """As the SIS has it; not checked."""
    name: Name | None = None
    roles: Roles | None = None
    """Only the roles the person holds appear."""
    lms_status: LmsStatus | None = None
    """From v3.1 on."""
    created: str | None = None
    """When the record appeared, UTC."""
    last_modified: str | None = None
    """When a field of the record last changed, UTC."""


class Resource(Record, frozen=True, gc=False):
    """Content of an application, mapped to courses."""

    KIND: ClassVar[str] = "resources"
    district: str | None = None
    """Id of the district."""
    resource_id: str | None = None
    """The application's own id."""
    title: str | None = None
    roles: list[str] | None = None
    """Who may use it. One of `teacher`, `student`."""
    created: str | None = None
    """When the record appeared, UTC."""
    updated: str | None = None
    """When a field of the record last changed, UTC."""


KINDS: tuple[type[Record], ...] = (District, School, Term, Course, Resource, User, Section)
