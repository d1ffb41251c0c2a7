"""How a store of objects names the entries of a log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfail.stores.object_names import folder_of, name_of, number_of, quoted

LOGS = ["", "_", "__", "shop", "SHOP", "shop/", "shop%", "shop_2f", "shop.", "läden", "..", "a b", "東京", "\ud800"]
TEXT = st.text(alphabet=st.characters(codec=None), max_size=20)


def test_different_logs_have_different_names() -> None:
    assert len({quoted(name) for name in LOGS}) == len(LOGS)
    assert all(set(quoted(name)) <= set(map(chr, range(128))) - set("./%# ") for name in LOGS)


@given(TEXT, TEXT, st.sampled_from(["", "state", "a/b"]))
def test_no_log_is_inside_another(one: str, other: str, prefix: str) -> None:
    assert one == other or not folder_of(prefix, one).startswith(folder_of(prefix, other))


@given(TEXT, st.integers(1, 10**12 - 2))
def test_the_order_of_names_is_the_order_of_numbers_and_a_name_gives_its_number_back(log: str, seq: int) -> None:
    name = name_of("state", log, seq)
    assert name < name_of("state", log, seq + 1)
    assert number_of(name, folder_of("state", log)) == seq


@pytest.mark.parametrize("name", ["", "12", "00000000000x", "0000000000001", "٠٠٠٠٠٠٠٠٠٠٠١"])
def test_what_is_no_entry_has_no_number(name: str) -> None:
    assert number_of(f"state/shop/{name}", "state/shop/") is None
