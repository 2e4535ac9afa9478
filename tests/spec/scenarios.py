"""A small scenario that the tests change one thing of at a time."""

from pathlib import Path

TEXT = """\
name: small
duration: 10 min
cluster:
  node: dgx-h100
  num_nodes: 1
serving:
  chat:
    model: llama-3.1-8b
    engine: vllm
    num_replicas: 8
    router: random
    slo: {ttft: 1 s, tpot: 50 ms}
    traffic:
      arrivals: {policy: poisson, rate: 4 /s}
      lengths: {policy: fixed, prompt: 100, output: 10}
facility: {site: us-iowa}
economics: {prices: owned-2026}
"""


def changed(*changes: tuple[str, str]) -> str:
    """The text with each first string replaced by the second."""
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def write(folder: Path, name: str, text: str) -> Path:
    """A file with that text."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
