from __future__ import annotations

import pytest

from browser_worker.domain.self_check import LOOKUPS, READ_NEEDS, SEND_NEEDS, USEFUL, grade

ALL = dict.fromkeys(LOOKUPS, True)


def test_a_page_that_answers_everything_can_be_read_and_can_send() -> None:
    check = grade(ALL, page_version="2.3", wa_js_version="4.6.0")
    assert (check.read_ok, check.send_ok, check.missing) == (True, True, ())
    assert (check.page_version, check.wa_js_version) == ("2.3", "4.6.0")


def test_a_page_that_answers_nothing_can_neither() -> None:
    check = grade({})
    assert (check.read_ok, check.send_ok) == (False, False)
    assert check.missing == LOOKUPS


@pytest.mark.parametrize("tier", ["wa-js", "module"])
def test_reading_survives_the_loss_of_a_whole_tier(tier: str) -> None:
    check = grade({name: not name.startswith(tier) for name in LOOKUPS})
    assert check.read_ok
    assert check.send_ok is (tier == "module")


@pytest.mark.parametrize("need", READ_NEEDS)
def test_reading_is_lost_with_every_way_to_one_thing(need: tuple[str, ...]) -> None:
    assert not grade(ALL | dict.fromkeys(need, False)).read_ok


@pytest.mark.parametrize("name", SEND_NEEDS)
def test_sending_needs_each_of_its_lookups(name: str) -> None:
    check = grade(ALL | {name: False})
    assert not check.send_ok
    assert name in check.missing


@pytest.mark.parametrize("name", USEFUL)
def test_a_lookup_without_a_grade_is_only_reported(name: str) -> None:
    check = grade(ALL | {name: False})
    assert (check.read_ok, check.send_ok, check.missing) == (True, True, (name,))
