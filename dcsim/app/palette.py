"""Colours that the colour-blind tell apart too, light enough for dark pages and dark enough for light ones.

Okabe and Ito, "Color Universal Design", 2008: eight colours chosen for that; its yellow and black, which
vanish on one of the two backgrounds, are left out.
"""

from __future__ import annotations

BLUE, ORANGE, GREEN, VERMILLION = "#0072b2", "#e69f00", "#009e73", "#d55e00"
PURPLE, SKY, GREY, OLIVE = "#cc79a7", "#56b4e9", "#8c8c8c", "#b5a642"
SERIES = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, GREY, OLIVE)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid", "dash")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")


def faded(colour: str, opacity: float) -> str:
    """A colour of the palette, see-through.

    >>> faded("#0072b2", 0.2)
    'rgba(0,114,178,0.2)'
    """
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"
