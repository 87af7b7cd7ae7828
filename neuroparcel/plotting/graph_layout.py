"""Where the sites, plates and encodings of a pyramidal model stand in a figure.

Plates nest as columns: what stands outside every plate is at one side, the data
at the other, and each plate reaches from its own column to that of the data. So no
node can stand in a plate that does not hold it. Lengths are inches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

from neuroparcel.graph.model_graph import ModelGraph

RADIUS = 0.17  # of a node
LABEL_LINE, NOTE_LINE = 0.13, 0.12  # heights, for 8 and 7 points
LABEL_GAP = 0.04  # between a node and its label
PAD = 0.11  # between a plate's outline and what it holds
STRIP = 0.22  # at the foot of a plate, for its name
TRUNK = 0.11  # from the middle of an encoding to the line that feeds its factors
LABEL_CHARACTER, NOTE_CHARACTER = 0.067, 0.058  # widths, generous
_COLUMN_GAP, _ROW_GAP = 0.1, 0.13
_LABEL_WIDTH = 14  # characters, where a name has underscores to break it at


@dataclass(frozen=True)
class Node:
    """A site, a factor or an encoding.

    Attributes
    ----------
    name : str
        Unique in its panel.
    kind : str
        ``latent``, ``observed``, ``factor`` or ``encoding``.
    hierarchy : int
    label, note : tuple of str
        Lines below the node, and smaller ones below those.
    x, y : float
        Centre.
    """

    name: str
    kind: str
    hierarchy: int
    label: tuple[str, ...]
    note: tuple[str, ...] = ()
    x: float = 0.0
    y: float = 0.0

    @cached_property
    def width(self) -> float:
        """Of the node or its label."""
        label = LABEL_CHARACTER * max(map(len, self.label), default=0)
        note = NOTE_CHARACTER * max(map(len, self.note), default=0)
        return max(2 * RADIUS, label, note)

    @cached_property
    def height(self) -> float:
        """Of the node with its label."""
        lines = LABEL_LINE * len(self.label) + NOTE_LINE * len(self.note)
        return 2 * RADIUS + LABEL_GAP + lines

    @property
    def bottom(self) -> float:
        """Lower end of the label."""
        return self.y + RADIUS - self.height

    @property
    def box(self) -> Box:
        """The node with its label."""
        half = self.width / 2
        return Box("", self.x - half, self.bottom, self.x + half, self.y + RADIUS)


@dataclass(frozen=True)
class Box:
    """A rectangle with a name, such as a plate's."""

    name: str
    left: float
    bottom: float
    right: float
    top: float

    def holds(self, other: Box) -> bool:
        """Whether ``other`` lies inside."""
        across = self.left <= other.left and other.right <= self.right
        return across and self.bottom <= other.bottom and other.top <= self.top

    def meets(self, other: Box) -> bool:
        """Whether the two have any area in common."""
        across = self.left < other.right and other.left < self.right
        return across and self.bottom < other.top and other.bottom < self.top


@dataclass(frozen=True)
class Panel:
    """One half of the figure.

    Attributes
    ----------
    nodes : tuple of Node
    plates : tuple of Box
        From the innermost outwards.
    arrows : tuple of (str, str)
        Names of the nodes at tail and head.
    """

    nodes: tuple[Node, ...]
    plates: tuple[Box, ...]
    arrows: tuple[tuple[str, str], ...]

    def node(self, name: str) -> Node:
        """The node of this name; KeyError if there is none."""
        return {node.name: node for node in self.nodes}[name]

    @property
    def frame(self) -> Box:
        """The smallest box around everything."""
        boxes = [*self.plates, *(node.box for node in self.nodes)]
        return Box(
            "",
            min(box.left for box in boxes),
            min(box.bottom for box in boxes),
            max(box.right for box in boxes),
            max(box.top for box in boxes),
        )


def model_panel(graph: ModelGraph) -> Panel:
    """The graph template of a model: parents to the left of their children."""
    sites = (*graph.latents, graph.observed)
    columns = _site_columns(graph)
    arrows = tuple((parent, site.name) for site in sites for parent in site.parents)
    placed = _beside(columns, graph)
    return _panel(_untangle(placed, arrows), arrows, graph)


def family_panel(
    graph: ModelGraph, model: Panel, weights: Mapping[str, int] | None = None
) -> Panel:
    """The family dual to a model: encodings at the foot, and the factors they feed above.

    Names are ``E1``, ``E2``, ... for the encodings of each hierarchy and
    ``q(site)`` for the factors, in the order of the model's panel. Numbers of weights, by
    site, are told below the links.
    """
    counts = {name: (f"{count:,} weights",) for name, count in (weights or {}).items()}
    height = {node.name: node.y for node in model.nodes}
    factors = [
        Node(
            f"q({s.name})",
            "factor",
            s.hierarchy,
            _broken(f"q({s.name})"),
            (s.link_name, *counts.get(s.name, ())),
        )
        for s in sorted(graph.latents, key=lambda site: height[site.name])
    ]
    row = max(node.height for node in factors) + _ROW_GAP
    columns = []
    for hierarchy in range(graph.n_plates, 0, -1):
        pooled = ("pooled over", graph.plates[hierarchy - 1].name)
        encoding = Node(f"E{hierarchy}", "encoding", hierarchy, (), pooled)
        fed = [node for node in factors if node.hierarchy == hierarchy]
        columns.append(_fed(encoding, fed, row))
    columns.append([Node(graph.observed.name, "observed", 0, _broken(graph.observed.name))])
    arrows = [(graph.observed.name, "E1")]
    arrows += [(f"E{h}", f"E{h + 1}") for h in range(1, graph.n_plates)]
    arrows += [(f"E{site.hierarchy}", f"q({site.name})") for site in graph.latents]
    placed = [node for column in _beside(columns, graph) for node in column]
    return _mirrored(_panel(placed, tuple(arrows), graph))


def plate_label(graph: ModelGraph, rank: int) -> str:
    """Name and size of a plate, as they stand in its corner."""
    plate = graph.plates[rank]
    return f"{plate.name} \u00d7 {plate.size}"


def _site_columns(graph: ModelGraph) -> list[list[Node]]:
    """Sites by hierarchy, and inside a hierarchy children to the right of their parents."""
    depth: dict[str, int] = {}
    columns: dict[tuple[int, int], list[Node]] = {}
    for site in (*graph.latents, graph.observed):
        siblings = [p for p in site.parents if graph.site(p).hierarchy == site.hierarchy]
        depth[site.name] = 1 + max((depth.get(p, -1) for p in siblings), default=-1)
        kind = "observed" if site is graph.observed else "latent"
        node = Node(site.name, kind, site.hierarchy, _broken(site.name))
        columns.setdefault((-site.hierarchy, depth[site.name]), []).append(node)
    return [columns[key] for key in sorted(columns)]


def _broken(name: str) -> tuple[str, ...]:
    """A name in lines that end with underscores."""
    lines = [""]
    for part in name.replace("_", "_ ").split():
        if lines[-1] and len(lines[-1]) + len(part) > _LABEL_WIDTH:
            lines.append("")
        lines[-1] += part
    return tuple(lines)


def _fed(encoding: Node, factors: Sequence[Node], row: float) -> list[Node]:
    """An encoding, and above it its factors in rows, clear of the trunk that feeds them.

    As seen from the far side: the whole panel is mirrored afterwards.
    """
    width = max((node.width for node in factors), default=0.0)
    x = TRUNK - max(0.05 + width / 2, 0.2 + RADIUS)
    return [encoding, *(replace(node, x=x, y=(i + 1) * row) for i, node in enumerate(factors))]


def _beside(columns: Sequence[Sequence[Node]], graph: ModelGraph) -> list[list[Node]]:
    """Put columns side by side; where a plate begins there is room for its outline."""
    end, hierarchy = 0.0, graph.n_plates
    placed = []
    for column in columns:
        end += 2 * PAD * (hierarchy - column[0].hierarchy)
        hierarchy = column[0].hierarchy
        left = min(node.box.left for node in column)
        width = max(node.box.right for node in column) - left
        extra = max(0.0, _name_width(graph) - width) if hierarchy == 0 else 0.0
        shift = end + extra / 2 - left
        placed.append([replace(node, x=node.x + shift) for node in column])
        end += width + extra + _COLUMN_GAP
    return placed


def _name_width(graph: ModelGraph) -> float:
    """Room for the longest name of a plate, which the innermost has to hold, too."""
    names = [plate_label(graph, rank) for rank in range(graph.n_plates)]
    return NOTE_CHARACTER * max(map(len, names))


def _untangle(columns: Sequence[Sequence[Node]], arrows: Sequence[tuple[str, str]]) -> list[Node]:
    """Give each node a row, so that few arrows cross and none runs through a node.

    The best end of descents that start from columns side by side and in stairs.
    """
    height = max(node.height for column in columns for node in column) + _ROW_GAP
    ends = []
    for stairs in (0.0, -0.5, 0.5, -1.0, 1.0):
        tops = [0.5 * (len(column) - 1) + stairs * i for i, column in enumerate(columns)]
        start = [_rows(*pair, height) for pair in zip(columns, tops, strict=True)]
        ends.append(_descend(start, arrows, height))
    best = min(ends, key=lambda end: _tangle(end, arrows))
    return [node for column in best for node in column]


def _descend(
    columns: list[list[Node]], arrows: Sequence[tuple[str, str]], height: float
) -> list[list[Node]]:
    """Exchange nodes of a column and shift it by half a row, as long as that helps."""
    cost, improved = _tangle(columns, arrows), True
    while improved:
        improved = False
        for i in reversed(range(len(columns))):
            tries = [[*columns[:i], new, *columns[i + 1 :]] for new in _moves(columns[i], height)]
            costs = [_tangle(candidate, arrows) for candidate in tries]
            if min(costs) < cost - 1e-9:
                cost, improved = min(costs), True
                columns = tries[costs.index(cost)]
    return columns


def _rows(column: Sequence[Node], top: float, height: float) -> list[Node]:
    return [replace(node, y=(top - row) * height) for row, node in enumerate(column)]


def _moves(column: Sequence[Node], height: float) -> list[list[Node]]:
    top = column[0].y / height
    orders = [list(column)]
    for one, other in combinations(range(len(column)), 2):
        order = list(column)
        order[one], order[other] = order[other], order[one]
        orders.append(order)
    return [_rows(order, top + shift, height) for order in orders for shift in (-0.5, 0.0, 0.5)]


def _tangle(columns: Sequence[Sequence[Node]], arrows: Sequence[tuple[str, str]]) -> float:
    """What is wrong with a drawing: arrows over nodes, over labels, over arrows, and steep ones."""
    nodes = {node.name: node for column in columns for node in column}
    ends = [(nodes[tail], nodes[head]) for tail, head in arrows]
    cost = sum((tail.y - head.y) ** 2 / (0.1 + abs(tail.x - head.x)) for tail, head in ends)
    cost += 0.1 * sum(abs(node.y) for node in nodes.values())
    cost += sum(_in_the_way(node, *line) for line in ends for node in nodes.values())
    return cost + 5.0 * sum(_cross(one, other) for one, other in combinations(ends, 2))


def _in_the_way(node: Node, tail: Node, head: Node) -> float:
    """50 if the arrow meets a node that is not its own, 8 if a label, 2 if its own label."""
    own = node is tail or node is head
    first, last = (tail, head) if tail.x < head.x else (head, tail)
    half = node.width / 2
    left, right = max(first.x, node.x - half), min(last.x, node.x + half)
    if left > right:
        return 0.0
    if tail.x == head.x:
        between = min(tail.y, head.y) < node.y < max(tail.y, head.y)
        return 50.0 * (between and not own)
    slope = (last.y - first.y) / (last.x - first.x)
    middle = min(max(node.x, left), right)
    heights = [first.y + slope * (x - first.x) for x in (left, middle, right)]
    if not own and any(abs(y - node.y) < 1.4 * RADIUS for y in heights):
        return 50.0
    met = any(node.bottom < y < node.y - RADIUS for y in heights)
    return (2.0 if own else 8.0) * met


def _cross(one: tuple[Node, Node], other: tuple[Node, Node]) -> bool:
    if {node.name for node in one} & {node.name for node in other}:
        return False
    return _apart(one, other[0], other[1]) and _apart(other, one[0], one[1])


def _apart(line: tuple[Node, Node], a: Node, b: Node) -> bool:
    """Whether a and b lie on different sides of a line."""
    return _side(line, a) * _side(line, b) < 0


def _side(line: tuple[Node, Node], point: Node) -> float:
    start, end = line
    return (end.x - start.x) * (point.y - start.y) - (end.y - start.y) * (point.x - start.x)


def _panel(nodes: Sequence[Node], arrows: tuple[tuple[str, str], ...], graph: ModelGraph) -> Panel:
    """Draw a box around the nodes of each plate, each around the one before."""
    plates: list[Box] = []
    for rank in range(graph.n_plates):
        held = [node.box for node in nodes if node.hierarchy <= rank] + plates[-1:]
        box = Panel((), tuple(held), ()).frame
        missing = max(0.0, _name_width(graph) - (box.right - box.left)) / 2
        plates.append(
            Box(
                plate_label(graph, rank),
                box.left - missing - PAD,
                box.bottom - STRIP,
                box.right + missing + PAD,
                box.top + PAD,
            )
        )
    return Panel(tuple(nodes), tuple(plates), arrows)


def _mirrored(panel: Panel) -> Panel:
    """Left and right exchanged."""
    nodes = tuple(replace(node, x=-node.x) for node in panel.nodes)
    plates = tuple(replace(box, left=-box.right, right=-box.left) for box in panel.plates)
    return replace(panel, nodes=nodes, plates=plates)


def moved(panel: Panel, x: float, y: float) -> Panel:
    """The same panel elsewhere."""
    nodes = tuple(replace(node, x=node.x + x, y=node.y + y) for node in panel.nodes)
    plates = tuple(
        Box(box.name, box.left + x, box.bottom + y, box.right + x, box.top + y)
        for box in panel.plates
    )
    return replace(panel, nodes=nodes, plates=plates)
