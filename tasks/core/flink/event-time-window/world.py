"""Five deliveries of scans, one of them from south. Each lane shows one thing that the job has to get right."""

from __future__ import annotations

import datetime
import json
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from harness.lab import Lab

DAY = datetime.datetime(2026, 3, 2)
WINDOW = datetime.timedelta(minutes=5)
DISORDER = 119  # seconds

Scan = dict[str, str]


@dataclass(frozen=True)
class World:
    """Each delivery, a file: its path below ``$DATA/scans`` and its lines; and the scans by lane.

    ``published``: of each delivery, the start of the newest window that is over once it was read.
    """

    deliveries: tuple[tuple[str, tuple[str, ...]], ...]
    published: tuple[datetime.datetime, ...]
    scans: dict[str, tuple[Scan, ...]]
    late: tuple[Scan, ...]
    broken: tuple[str, ...]
    lanes: dict[str, tuple[str, ...]]

    def counts(self, group: str, until: datetime.datetime) -> list[dict[str, object]]:
        """The counts of a group's lanes, in windows that start before ``until`` or then."""
        found = Counter(
            (window_of(moment), lane)
            for lane in self.lanes[group]
            for scan in self.scans.get(lane, ())
            if window_of(moment := datetime.datetime.fromisoformat(scan["scanned_at"])) <= until
        )
        return [{"window_start": window, "lane": lane, "scans": number} for (window, lane), number in found.items()]


def window_of(moment: datetime.datetime) -> datetime.datetime:
    return moment - datetime.timedelta(minutes=moment.minute % 5, seconds=moment.second)


class Scanners:
    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.start = DAY + datetime.timedelta(hours=draw.randrange(1, 20))
        self.lanes: dict[str, tuple[str, ...]] = {}
        self.scans: dict[str, list[Scan]] = {}
        self.numbers = iter(draw.sample(range(100_000, 999_999), 5000))

    def open(self, group: str, number: int) -> None:
        self.lanes[group] = tuple(f"{self.draw.choice('KLM')}{next(self.numbers)}" for _ in range(number))

    def scan(self, group: str, minutes: float, *, kept: bool = True) -> Scan:
        """A parcel on one of the group's lanes, so many minutes after the beginning."""
        lane = self.draw.choice(self.lanes[group])
        moment = self.start + datetime.timedelta(seconds=round(minutes * 60))
        scan = {"scan_id": f"S{next(self.numbers)}", "lane": lane, "scanned_at": str(moment)}
        if kept:
            self.scans.setdefault(lane, []).append(scan)
        return scan

    def many(self, group: str, number: int, begin: float, end: float) -> list[Scan]:
        return [self.scan(group, self.draw.uniform(begin, end)) for _ in range(number)]

    def nearly_in_order(self, scans: Iterable[Scan]) -> list[Scan]:
        """As they come: each up to two minutes after younger ones."""

        def comes(scan: Scan) -> datetime.datetime:
            moment = datetime.datetime.fromisoformat(scan["scanned_at"])
            return moment + datetime.timedelta(seconds=self.draw.randrange(DISORDER))

        return sorted(scans, key=comes)


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    some = round(40 * scale)
    at = Scanners(draw)
    for group, number in {"plain": 3, "disordered": 1, "late": 1, "open": 1, "interrupted": 2, "south": 2}.items():
        at.open(group, number)

    # The clock is told by the last scan: 15:30 after the beginning, then 30:30, 40:30, 42:30, 50:30. Each delivery
    # ends a window, so that it is seen when it was read: in which order files are read that lie there together is open.
    first = [*at.nearly_in_order(at.many("plain", 3 * some, 0, 15)), at.scan("plain", 15.5)]
    behind = at.many("disordered", some // 2, 14 + 1 / 60, 14.9)
    second = [
        *behind,
        *at.nearly_in_order(at.many("plain", 3 * some, 15.5, 30) + at.many("interrupted", some, 25, 28.5)),
    ]
    second.append(at.scan("plain", 30.5))
    # Behind the watermark, which stands at 28:30, but in a window that is open.
    third = [*at.many("open", some // 2, 25.1, 28.2), *at.many("interrupted", some, 28.6, 29.9)]
    third += [*at.nearly_in_order(at.many("plain", 2 * some, 30.5, 40)), at.scan("plain", 40.5)]
    south = [*at.nearly_in_order(at.many("south", some, 36, 40)), at.scan("south", 42.5)]
    # Not the first after the kill: Flink doesn't keep where its watermark stood.
    late = [at.scan("late", draw.uniform(1, 14), kept=False) for _ in range(some // 2)]
    last = [*late, *at.nearly_in_order(at.many("plain", 2 * some, 40.5, 50)), at.scan("plain", 50.5)]

    broken = [
        "",
        "scanner 7 restarted",
        '{"scan_id": "S1", "lane": ',
        json.dumps({"scan_id": f"S{draw.randrange(1000)}", "lane": at.lanes["plain"][0]}),
        json.dumps({"scan_id": f"S{draw.randrange(1000)}", "scanned_at": str(at.start)}),
        json.dumps({"lane": at.lanes["plain"][0], "scanned_at": str(at.start)}),
        json.dumps({"scan_id": f"S{draw.randrange(1000)}", "lane": at.lanes["plain"][0], "scanned_at": "just now"}),
        # JSON, but no object.
        json.dumps(["scanner", draw.randrange(1000), "restarted"]),
        str(draw.randrange(1000)),
    ][1:]
    lines = {
        "north/0001.jsonl": with_broken(first, broken[:3], draw),
        "north/0002.jsonl": with_broken(second, [], draw),
        "north/0003.jsonl": with_broken(third, broken[3:], draw),
        "south/0001.jsonl": with_broken(south, [], draw),
        "north/0004.jsonl": with_broken(last, [], draw),
    }
    world = World(
        tuple(lines.items()),
        tuple(at.start + datetime.timedelta(minutes=minutes) for minutes in (5, 20, 30, 35, 40)),
        {lane: tuple(scans) for lane, scans in at.scans.items()},
        tuple(late),
        tuple(broken),
        at.lanes,
    )
    counted = [group for group in world.lanes if world.counts(group, world.published[-1])]
    assert counted == [group for group in world.lanes if group != "late"], counted
    return world


def with_broken(scans: list[Scan], broken: list[str], draw: random.Random) -> tuple[str, ...]:
    """Broken lines between sound ones; the first and the last line are sound."""
    lines = [json.dumps(scan) for scan in scans]
    for line in broken:
        lines.insert(draw.randrange(1, len(lines)), line)
    return tuple(lines)


def furnish(world: World, lab: Lab) -> None:
    """All deliveries are there."""
    open_depots(lab)
    for number in range(len(world.deliveries)):
        deliver(world, lab, number)


def deliver(world: World, lab: Lab, number: int) -> None:
    """The file is complete when it becomes visible."""
    path, lines = world.deliveries[number]
    folder, _, name = path.rpartition("/")
    hidden = f"scans/{folder}/.{name}"
    lab.deliver({hidden: "\n".join(lines) + "\n"})
    data = lab.box.path("data")
    lab.box.run(["mv", f"{data}/{hidden}", f"{data}/scans/{path}"], role="driver")


def open_depots(lab: Lab) -> None:
    lab.box.run(
        ["mkdir", "-p", *(f"{lab.box.path('data')}/scans/{depot}" for depot in ("north", "south"))], role="driver"
    )


def remove(world: World, lab: Lab, number: int) -> None:
    """As happens an hour after a file came."""
    path, _ = world.deliveries[number]
    lab.box.run(["rm", f"{lab.box.path('data')}/scans/{path}"], role="driver")


# canary: 5f1c5a7e-2d0b-4b6b-9a43-9a4dca1e7d60
