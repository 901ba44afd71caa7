"""The editor of a share's rules: rule by rule in a form, the same as text, and a live preview in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Page, expect

from rollbook.demo.serving import Demo
from rollbook.domain import shares
from rollbook.domain.shares import OPERATORS
from rollbook.errors import BadSetting
from rollbook.operations import connecting
from rollbook.operations.share_edits import ShareEdit
from rollbook.store.accounts import applications
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district import districts, views
from rollbook.web.app import App
from rollbook.web.console import rule_forms
from rollbook.web.console.rule_forms import OWN, RuleFields, Where
from tests.journeys.hub import Hub
from tests.web.chromium import served

SHARES = {
    "nothing": {"rules": []},
    "lists": {
        "rules": [{"kind": "student", "where": [["grade", "equals any of", "5", "11"]], "with": ["sections"]}]
    },
    "blank cells": {
        "rules": [{"kind": "teacher", "where": [["title", "equals any of", ""]], "with": ["students"]}]
    },
    "one text": {"rules": [{"kind": "section", "where": [["name", "contains", "a; b"]], "with": []}]},
    "own column": {"rules": [{"kind": "student", "where": [["ext.bus", "starts with", "7"]], "with": []}]},
    "all of a kind": {"rules": [{"kind": "admin", "where": [], "with": []}, {"kind": "section"}]},
    "named schools": {
        "rules": [{"kind": "staff", "where": [["title", "contains", "H"]], "with": ["North High", "S"]}]
    },
}
# What only the text can say.
AS_TEXT = {
    "blank among others": {"rules": [{"kind": "student", "where": [["grade", "equals any of", "5", ""]]}]},
    "several single texts": {"rules": [{"kind": "student", "where": [["grade", "contains", "5", "6"]]}]},
    "a text that fits all": {"rules": [{"kind": "student", "where": [["grade", "contains", ""]]}]},
    "many rules": {"rules": [{"kind": "student"}] * 21},
    "many conditions": {"rules": [{"kind": "student", "where": [["grade", "contains", "5"]] * 11}]},
}  # fmt: skip


def as_form(rules: list[RuleFields]) -> dict[str, str]:
    """The fields that a browser sends for these rules."""
    form = {}
    for number, rule in enumerate(rules):
        start = f"rule.{number}"
        form[f"{start}.kind"] = rule.kind
        for place, each in enumerate(rule.where):
            told = {"field": each.field, "operator": each.operator, "values": each.values, "own": each.own}
            form |= {f"{start}.where.{place}.{name}": text for name, text in told.items()}
        form |= {f"{start}.with.{name}": "on" for name in rule.along}
        form[f"{start}.with.schools"] = rule.schools
    return form


@pytest.mark.parametrize("given", SHARES.values(), ids=SHARES)
def test_a_share_is_the_same_after_the_form(given: dict[str, object]) -> None:
    share = shares.parse(given)
    assert share is not None
    rules = rule_forms.of(share)
    assert rules is not None
    assert rule_forms.read(as_form(rules)) == rules
    if rules:
        assert shares.parse(rule_forms.as_json(rules)) == share


@pytest.mark.parametrize("given", AS_TEXT.values(), ids=AS_TEXT)
def test_what_the_form_cannot_say_stays_text(given: dict[str, object]) -> None:
    assert rule_forms.of(shares.parse(given)) is None


def test_no_rule_is_said_and_unknown_kinds_are_left_out() -> None:
    assert rule_forms.of(None) == []
    assert rule_forms.read({"rule.0.kind": "pupil", "rule.x.kind": "student"}) == []
    with pytest.raises(BadSetting, match="Add one rule"):
        rule_forms.as_json([])


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({"values": "5"}, "expected a field"),
        ({"field": "grade", "operator": "contains"}, "contains: expected a value"),
        ({"field": "grade", "operator": "starts with any of"}, "starts with any of: expected a value"),
        ({"field": OWN, "own": "bus", "operator": "does not contain"}, "does not contain: expected a value"),
    ],
    ids=str,
)
def test_a_condition_that_is_half_filled_in_never_shares_more(condition: dict[str, str], said: str) -> None:
    # A browser sends the operator of each condition, and the server ignores blank fields of a form.
    form = {"rule.0.kind": "student", "rule.0.where.0.operator": OPERATORS[0]}
    form |= {f"rule.0.where.0.{name}": text for name, text in condition.items()}
    with pytest.raises(BadSetting, match=said):
        shares.parse(rule_forms.as_json(rule_forms.check(rule_forms.read(form))))


@pytest.mark.parametrize("number", ["00", "01", "1000", "-1", "+1", "\u0661", ""])
def test_names_that_no_form_has_are_left_out(number: str) -> None:
    good = {"rule.0.kind": "student", "rule.0.where.0.field": "grade", "rule.0.where.0.values": "5"}
    wrong = {f"rule.{number}.kind": "staff", f"rule.0.where.{number}.field": "name"}
    assert rule_forms.read(good | wrong) == rule_forms.read(good)


def test_buttons_add_and_drop_and_wrong_ones_do_nothing() -> None:
    one = [RuleFields("student", (Where("grade", OPERATORS[0], "5"), Where()))]
    assert rule_forms.changed([], "add-rule", "staff") == [RuleFields("staff")]
    assert rule_forms.changed(one, "drop-rule.0", "") == []
    assert rule_forms.changed(one, "add-where.0", "")[0].where == (*one[0].where, Where())
    assert rule_forms.changed([*one, RuleFields("staff")], "drop-where.0.1", "")[0].where == one[0].where[:1]
    for wrong in ("add-rule", "add-where.7", "add-where.x", "drop-where.0", "drop-rule", "drop-rule.9999999"):
        assert rule_forms.changed(one, wrong, "pupil") == one
    assert OWN not in one[0].fields


@pytest.fixture
def place(small_synced_hub: Hub) -> Iterator[str]:
    """The address of a connection's page in a demo, whose console is open."""
    hub = small_synced_hub
    made, _ = applications.create(hub.database, NewApplication("Reading Room"))
    connecting.connect_new(hub.database, hub.settings, made.client_id, hub.district.id, ShareEdit("nothing"))
    demo = Demo("TEST_TOKEN", "", hub.district.name)
    app = App(hub.database, hub.settings, limits=hub.folder / "limits", extend=demo.extend)
    with closing(app), served(app) as address:
        yield f"{address}/console/d/{districts.slug(hub.district)}/applications/{made.client_id}"


def share_of(hub: Hub) -> object:
    spec = views.by_application(hub.database, hub.district.number)["Reading Room"].spec
    return shares.as_json(spec.share)


RULES = {
    "rules": [
        {
            "kind": "student",
            "where": [["grade", "equals any of", "10", "11"], ["ext.bus", "contains", "7"]],
            "with": ["sections"],
        }
    ]
}


def fill_in(page: Page) -> None:
    """A rule with two conditions, the second about a column of the district's own."""
    page.get_by_text("Rules", exact=True).click()
    page.get_by_label("Add a rule for").select_option("Students")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_label("Whose field, rule 1").select_option("grade")
    page.get_by_label("Values, with ; between").fill("10; 11")
    page.get_by_role("button", name="Add a condition").click()
    page.get_by_label("and whose field, rule 1").select_option(OWN)
    page.get_by_label("Test").nth(1).select_option("contains")
    page.get_by_label("Values, with ; between").nth(1).fill("7")
    page.get_by_label("with their sections").check()


@pytest.mark.browser
def test_a_rule_is_made_in_the_form_and_previewed_live(
    chromium: Browser, place: str, small_synced_hub: Hub
) -> None:
    page = chromium.new_page()
    page.goto(place)
    fill_in(page)
    page.get_by_role("textbox", name="Header after ext.").fill("bus")
    live = page.get_by_role("region", name="With this share")
    expect(live).to_contain_text("Emmy Noether")
    expect(live).not_to_contain_text("Turing")
    page.get_by_label("Values, with ; between").nth(1).fill("nowhere")
    expect(live).not_to_contain_text("Emmy Noether")
    page.get_by_role("textbox", name="Header after ext.").fill("")
    expect(live).to_contain_text("expected a field")
    page.get_by_role("textbox", name="Header after ext.").fill("bus")
    page.get_by_label("Values, with ; between").nth(1).fill("7")
    expect(live).to_contain_text("Emmy Noether")
    page.get_by_role("button", name="Share this from now on").click()
    expect(page.get_by_text("is in force", exact=False).first).to_be_visible()
    assert share_of(small_synced_hub) == RULES
    page.close()


@pytest.mark.browser
def test_without_javascript_the_form_does_the_same_and_the_text_says_it(
    chromium: Browser, place: str, small_synced_hub: Hub
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(place)
    fill_in(page)
    page.keyboard.press("Enter")  # the form's first button is the preview, which changes nothing
    expect(page.get_by_role("alert")).to_contain_text("expected a field")
    page.get_by_role("textbox", name="Header after ext.").fill("bus")
    page.get_by_role("button", name="Preview", exact=True).click()
    expect(page.get_by_role("heading", name="What it would see")).to_be_visible()
    text = page.get_by_label("Rules, as JSON").input_value()
    assert '"ext.bus"' in text
    page.get_by_role("button", name="Drop condition 2 of rule 1").click()
    expect(page.get_by_label("Values, with ; between")).to_have_count(1)
    page.get_by_role("button", name="Drop this rule").click()
    page.get_by_role("button", name="Preview", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Add one rule at least")
    page.get_by_label("The rules below as text").check()
    page.get_by_text("Rules as text").click()
    page.get_by_label("Rules, as JSON").fill(text)
    page.get_by_role("button", name="Preview", exact=True).click()
    expect(page.get_by_role("textbox", name="Header after ext.")).to_have_value("bus")
    page.get_by_role("button", name="Share this from now on").click()
    expect(page.get_by_text("Shares 1 rule")).to_be_visible()
    assert share_of(small_synced_hub) == RULES
    context.close()
