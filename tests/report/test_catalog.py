import io

from rich.console import Console

from dcsim.report.catalog import show_entry


def shown(kind: str, name: str) -> str:
    out = io.StringIO()
    show_entry(Console(file=out, width=100), kind, name)
    return out.getvalue()


def test_a_model_is_shown_with_the_sizes_of_its_card():
    text = shown("models", "deepseek-v3")
    assert "671 G parameters, 37.6 G active per token; 70.3 kB of KV cache per token in 16 bits" in text
    assert "computed" not in shown("nodes", "dgx-h100")
