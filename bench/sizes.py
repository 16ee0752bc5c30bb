"""The sizes of a run: ``full`` for all claims, ``medium`` for minutes, ``toy`` for CI."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Studies by claim and peer, and how often each measure is repeated."""

    stream: int
    large: int
    growth: tuple[int, ...]
    memory: int
    orthanc: int
    dcmtk: int
    pynetdicom: int
    scans: int
    fallback: int
    idle: int
    runs: int
    queries: int
    associations: int
    stored: int


SIZES = {
    "full": Size(
        stream=200_000, large=1_000_000, growth=(10_000, 100_000, 1_000_000, 10_000_000),
        memory=1_000_000, orthanc=3_000,
        dcmtk=500, pynetdicom=3_000, scans=3_200, fallback=100_000, idle=2_000, runs=3,
        queries=1_000, associations=500, stored=10_000,
    ),
    "medium": Size(
        stream=200_000, large=200_000, growth=(10_000, 200_000), memory=200_000, orthanc=3_000,
        dcmtk=500, pynetdicom=3_000, scans=200, fallback=10_000, idle=1_000, runs=3, queries=500,
        associations=300, stored=3_000,
    ),
    "toy": Size(
        stream=300, large=300, growth=(100, 300), memory=300, orthanc=20, dcmtk=20, pynetdicom=50,
        scans=3, fallback=100, idle=20, runs=1, queries=20, associations=10, stored=30,
    ),
}  # fmt: skip
