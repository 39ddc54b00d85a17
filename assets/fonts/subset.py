#!/usr/bin/env python3
"""Cuts drbot's two fonts out of Inter's variable font: see README.md beside this file."""

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

WEIGHTS = {"Regular": 400, "SemiBold": 600}

# Latin with its extensions, Greek, Cyrillic, and the signs that a picture or a name is likely to hold.
RANGES = [(0x20, 0x7E), (0xA0, 0x17F), (0x218, 0x21B), (0x384, 0x3CE), (0x400, 0x45F), (0x490, 0x491),
          (0x1E80, 0x1E85), (0x1E9E, 0x1E9E)]
SIGNS = "‐‑–—‘’‚“”„†‡•…‰‹›⁄€₽₿№™←↑→↓↔↩↺−≈≠≤≥∞■□▲▶▼◀◆●✓✗"


def digits_of_one_width(font):
    """Figures that stand in columns: what the feature `tnum` would do, done for good."""
    lookups = font["GSUB"].table.LookupList.Lookup
    features = font["GSUB"].table.FeatureList.FeatureRecord
    indices = {index for record in features if record.FeatureTag == "tnum" for index in record.Feature.LookupListIndex}
    tables = [getattr(table, "ExtSubTable", table) for index in indices for table in lookups[index].SubTable]
    swap = {old: new for table in tables for old, new in table.mapping.items()}
    for table in font["cmap"].tables:
        for code, glyph in table.cmap.items():
            if chr(code) in "0123456789:+":
                table.cmap[code] = swap.get(glyph, glyph)


def cut(source, weight):
    font = instancer.instantiateVariableFont(TTFont(source), {"wght": weight})
    digits_of_one_width(font)
    options = subset.Options(layout_features=[], hinting=False, glyph_names=False, notdef_outline=True, name_IDs=[0, 1, 2, 13, 14],
                             drop_tables=["GSUB", "GPOS", "GDEF", "STAT", "DSIG", "meta", "HVAR", "MVAR"])
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[code for low, high in RANGES for code in range(low, high + 1)], text=SIGNS)
    subsetter.subset(font)
    return font


if __name__ == "__main__":
    for name, weight in WEIGHTS.items():
        cut(sys.argv[1], weight).save(Path(__file__).parent / f"Inter-{name}.ttf")
