"""Pages as a pure function, over many listings: through the client only a few can be walked."""

from hypothesis import given
from hypothesis import strategies as st

from yt_platform.sandbox import Paging

SHARES = st.floats(0, 0.5)


@given(
    seed=st.integers(0, 1000), short=SHARES, empty=SHARES, total=st.integers(0, 200), size=st.integers(1, 60)
)  # fmt: skip
def test_pages_hold_every_item_once_and_end(seed: int, short: float, empty: float, total: int, size: int) -> None:
    """Whatever the shares: followed to the end, also where the last page holds a single item."""
    paging = Paging(seed, short, empty)
    found: list[int] = []
    token = None
    for _ in range(2 * total + 2):  # at worst each page holds one item and comes empty first
        page = paging.page("listing", token, size, total)
        assert page.stop - page.start <= size
        found += range(page.start, page.stop)
        token = page.next_token
        if token is None:
            break
    assert token is None
    assert found == list(range(total))
