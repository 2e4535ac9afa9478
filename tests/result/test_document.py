from hypothesis import given
from hypothesis import strategies as st

from dcsim.result.document import document_text
from dcsim.strict_yaml import read_yaml

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
)
NUMBERS_AS_TEXT = st.sampled_from(
    ["1e9", "24:00", "no", "0o17", "1_000", "0x1f", ".5", "+1", "~", "null", "2026-01-01"]
)
VALUES = st.recursive(
    SCALARS | TEXT | NUMBERS_AS_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(TEXT, VALUES, min_size=1, max_size=4))
def test_a_document_reads_back_as_it_was(document: dict[str, object]):
    assert read_yaml(document_text(document), "test").value == document


def test_a_value_that_stands_twice_is_written_twice():
    shared = {"a": 1}
    assert "&" not in document_text({"x": shared, "y": shared})
