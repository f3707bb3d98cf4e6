"""ScienceWorld's task types: their variations, and the numbers by which papers call them."""

SIMPLIFICATIONS = (
    "easy",
    "teleportAction",
    "selfWateringFlowerPots",
    "openContainers",
    "openDoors",
    "noElectricalAction",
)
"""`easy` stands for all but `openContainers` (and `noElectricalAction` in electrical tasks)."""

VARIATIONS: dict[str, tuple[int, int, int]] = {
    "boil": (14, 7, 9),
    "melt": (14, 7, 9),
    "freeze": (14, 7, 9),
    "change-the-state-of-matter-of": (14, 7, 9),
    "use-thermometer": (270, 135, 135),
    "measure-melting-point-known-substance": (218, 109, 109),
    "measure-melting-point-unknown-substance": (150, 75, 75),
    "power-component": (10, 5, 5),
    "power-component-renewable-vs-nonrenewable-energy": (10, 5, 5),
    "test-conductivity": (450, 225, 225),
    "test-conductivity-of-unknown-substances": (300, 150, 150),
    "find-living-thing": (150, 75, 75),
    "find-non-living-thing": (150, 75, 75),
    "find-plant": (150, 75, 75),
    "find-animal": (150, 75, 75),
    "grow-plant": (62, 31, 33),
    "grow-fruit": (62, 31, 33),
    "chemistry-mix": (16, 8, 8),
    "chemistry-mix-paint-secondary-color": (18, 9, 9),
    "chemistry-mix-paint-tertiary-color": (18, 9, 9),
    "lifespan-longest-lived": (62, 31, 32),
    "lifespan-shortest-lived": (62, 31, 32),
    "lifespan-longest-lived-then-shortest-lived": (62, 31, 32),
    "identify-life-stages-1": (6, 3, 5),
    "identify-life-stages-2": (4, 2, 4),
    "inclined-plane-determine-angle": (84, 42, 42),
    "inclined-plane-friction-named-surfaces": (692, 346, 348),
    "inclined-plane-friction-unnamed-surfaces": (80, 40, 42),
    "mendelian-genetics-known-plant": (60, 30, 30),
    "mendelian-genetics-unknown-plant": (240, 120, 120),
}
"""Train, dev and test variations of each type in the engine, numbered one after the other."""

ELECTRICAL = tuple(name for name in VARIATIONS if "power-component" in name or "conduct" in name)
"""Task types that cannot be solved under `noElectricalAction`."""

NUMBERS = {
    "boil": "1-1",
    "melt": "1-2",
    "freeze": "1-3",
    "change-the-state-of-matter-of": "1-4",
    "use-thermometer": "2-1",
    "measure-melting-point-known-substance": "2-2",
    "measure-melting-point-unknown-substance": "2-3",
    "power-component": "3-1",
    "power-component-renewable-vs-nonrenewable-energy": "3-2",
    "test-conductivity": "3-3",
    "test-conductivity-of-unknown-substances": "3-4",
    "find-living-thing": "4-1",
    "find-non-living-thing": "4-2",
    "find-plant": "4-3",
    "find-animal": "4-4",
    "grow-plant": "5-1",
    "grow-fruit": "5-2",
    "chemistry-mix": "6-1",
    "chemistry-mix-paint-secondary-color": "6-2",
    "chemistry-mix-paint-tertiary-color": "6-3",
    "lifespan-longest-lived": "7-1",
    "lifespan-shortest-lived": "7-2",
    "lifespan-longest-lived-then-shortest-lived": "7-3",
    "identify-life-stages-1": "8-1",
    "identify-life-stages-2": "8-2",
    "inclined-plane-determine-angle": "9-1",
    "inclined-plane-friction-named-surfaces": "9-2",
    "inclined-plane-friction-unnamed-surfaces": "9-3",
    "mendelian-genetics-known-plant": "10-1",
    "mendelian-genetics-unknown-plant": "10-2",
}
"""The numbers by which papers call them."""
