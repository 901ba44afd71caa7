"""The rows of an invented district as plain values, with one named tuple for each kind of row.

The field names are Clever's column names in lower case; `ext_` stands for `ext.`. All values are text, as in
a file. A writer of another format reads the same values.
"""

from __future__ import annotations

from typing import NamedTuple


class School(NamedTuple):
    school_id: str
    school_name: str
    school_number: str
    state_id: str
    nces_id: str
    low_grade: str
    high_grade: str
    principal: str
    principal_email: str
    school_address: str
    school_city: str
    school_state: str
    school_zip: str
    school_phone: str
    ext_region: str
    ext_network: str


class Contact(NamedTuple):
    contact_relationship: str
    contact_type: str
    contact_name: str
    contact_phone: str
    contact_phone_type: str
    contact_email: str
    contact_sis_id: str


NO_CONTACT = Contact("", "", "", "", "", "", "")


class Student(NamedTuple):
    """A student once, with all contacts; a file repeats the row for each contact."""

    school_id: str
    student_id: str
    student_number: str
    state_id: str
    last_name: str
    middle_name: str
    first_name: str
    grade: str
    gender: str
    graduation_year: str
    dob: str
    race: str
    hispanic_latino: str
    home_language: str
    ell_status: str
    frl_status: str
    iep_status: str
    gifted_status: str
    section_504_status: str
    disability_status: str
    disability_type: str
    disability_code: str
    preferred_first_name: str
    preferred_middle_name: str
    preferred_last_name: str
    student_street: str
    student_city: str
    student_state: str
    student_zip: str
    student_email: str
    username: str
    password: str
    unweighted_gpa: str
    weighted_gpa: str
    ext_bus_route: str
    ext_locker: str
    contacts: tuple[Contact, ...]


class Teacher(NamedTuple):
    school_id: str
    teacher_id: str
    teacher_number: str
    state_teacher_id: str
    teacher_email: str
    first_name: str
    middle_name: str
    last_name: str
    title: str
    username: str
    password: str
    ext_certification: str


class Section(NamedTuple):
    school_id: str
    section_id: str
    teacher_id: str
    teacher_2_id: str
    teacher_3_id: str
    teacher_4_id: str
    name: str
    section_number: str
    grade: str
    course_name: str
    course_number: str
    course_description: str
    period: str
    subject: str
    term_name: str
    term_start: str
    term_end: str
    ext_room: str


class Enrollment(NamedTuple):
    school_id: str
    section_id: str
    student_id: str


class Staff(NamedTuple):
    """One school of a staff member; a person at several schools has several rows."""

    school_id: str
    staff_id: str
    staff_email: str
    first_name: str
    last_name: str
    department: str
    title: str
    username: str
    password: str
    role: str
    ext_extension: str


class Administrator(NamedTuple):
    """One role of an administrator; a person with several roles has several rows."""

    admin_id: str
    admin_email: str
    first_name: str
    last_name: str
    title: str
    role: str


class Resource(NamedTuple):
    """One course of a resource."""

    resource_id: str
    title: str
    roles: str
    course_name: str
    course_number: str


class SchoolRoster(NamedTuple):
    """All rows of one school."""

    school: School
    students: list[Student]
    teachers: list[Teacher]
    sections: list[Section]
    enrollments: list[Enrollment]
    staff: list[Staff]
