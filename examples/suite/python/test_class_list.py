"""The tests of the application. The fixtures `rollbook` and `fresh_rollbook` come with Rollbook."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from class_list import ClassList, LoginRefused

from rollbook.client import Client, MemoryCopy, User
from rollbook.testing.sandboxes import Sandbox

CALLBACK = "http://localhost:3000/callback"


@pytest.fixture
def app(fresh_rollbook: Sandbox) -> Iterator[ClassList]:
    demo = fresh_rollbook
    with Client(demo.base_url, demo.token) as client:
        made = ClassList(client, demo.base_url, (demo.client_id, demo.client_secret), CALLBACK, MemoryCopy())
        made.refresh()
        yield made


def test_a_teacher_sees_classes_with_students(app: ClassList, rollbook: Sandbox) -> None:
    classes = app.classes_of(rollbook.people["teacher"].id)
    assert classes
    assert all(all(names) for names in classes.values())


def test_the_copy_follows_a_student_to_another_school(app: ClassList, rollbook: Sandbox) -> None:
    before = {user.id: user for user in app.copy.all(User)}
    rollbook.advance("student-changes-school")
    assert app.refresh().how == "events"
    moved = [user for user in app.copy.all(User) if user.id in before and user != before[user.id]]
    assert any(user.roles and user.roles.student for user in moved)


@pytest.mark.parametrize("fault", ["rate-limit", "server-error", "unavailable", "dropped"])
def test_a_failure_that_passes_is_waited_out(app: ClassList, rollbook: Sandbox, fault: str) -> None:
    rollbook.fault(fault, requests=1)
    assert app.refresh().how == "events"


def test_a_teacher_signs_in_once(app: ClassList, rollbook: Sandbox) -> None:
    teacher = rollbook.people["teacher"]
    (state,) = parse_qs(urlsplit(app.begin_login()).query)["state"]
    login = rollbook.code_for(teacher, redirect_uri=CALLBACK, state=state)
    assert app.finish_login(login.url).id == teacher.id
    with pytest.raises(LoginRefused, match="did not begin here"):
        app.finish_login(login.url)


def test_a_code_that_is_too_old_is_refused(app: ClassList, rollbook: Sandbox) -> None:
    (state,) = parse_qs(urlsplit(app.begin_login()).query)["state"]
    login = rollbook.code_for("teacher", redirect_uri=CALLBACK, state=state)
    rollbook.fault("expired-code")
    with pytest.raises(LoginRefused, match="invalid_grant"):
        app.finish_login(login.url)
