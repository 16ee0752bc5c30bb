"""The limits of the server: one row each, with its default and its reason (PS3.8 9.1.4, 9.3.4).

docs/reference/limits.md is the same table. ``services.limit_names`` names the limits for the log
and the observers; a limit that differs for a calling AE title has ``by_peer``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import click

from dicomquest.aio.connections import SPARE_CONNECTIONS, SPARE_OF_ADDRESS
from dicomquest.cli.shared_options import SECONDS, FiniteRange, of_hl7, of_users, of_web, setting
from dicomquest.dataset.limits import IDENTIFIER_LIMITS
from dicomquest.dimse.fragments import Limits
from dicomquest.dimse.link import SessionOptions
from dicomquest.query.options import QueryOptions
from dicomquest.services.limit_defaults import (
    LARGEST_ORDERS,
    LARGEST_STEP,
    LOCKOUT_TIME,
    MOST_FAILURES,
    MOST_FAILURES_OF_ADDRESS,
    MOST_OF_ADDRESS,
    MOST_WAITING,
)
from dicomquest.ul.timers import Timeouts
from dicomquest.worklist.hl7_limits import LARGEST_MESSAGE, Hl7Limits

COUNT = click.IntRange(1)
VALUES = click.IntRange(64)  # a field of 64 bytes is not counted
RATE = FiniteRange(min=0, min_open=True)
BYTES = click.IntRange(1024, 1 << 26)
TIMEOUTS = Timeouts()
HL7 = Hl7Limits()
REJECT = "A-ASSOCIATE-RJ, transient, local limit exceeded"
UNREADABLE = "status C001"


@dataclass(frozen=True)
class LimitSettings:
    """The bounds on what peers may make a process of the server do.

    ``reason`` says why there is the limit and why it has its default, ``beyond`` what a peer gets
    that goes beyond it.
    """

    TABLE: ClassVar[str] = "limits"

    max_associations: int = setting(
        100,
        "Hold at most N associations in a process; reject one more.",
        type=COUNT,
        metavar="N",
        reason="each may need a thread and some MB while it is answered",
        beyond=REJECT,
    )
    max_associations_per_peer: int | None = setting(
        None,
        "Hold at most N associations of one address in a process; four fifths of "
        "--max-associations by default.",
        type=COUNT,
        metavar="N",
        unset="four fifths of max-associations",
        reason="a gateway speaks for everybody from one address; the rest stays free for others",
        beyond=REJECT,
    )
    max_associations_per_ae: int | None = setting(
        None,
        "Hold at most N associations of one calling AE title in a process.",
        type=COUNT,
        metavar="N",
        by_peer=True,
        hidden=True,
        reason="a title proves nothing, so it is for stations that are known to overdo",
        beyond=REJECT,
    )
    spare_connections: int = setting(
        SPARE_CONNECTIONS,
        "Let N connections beyond the associations wait: in a TLS handshake, silent or rejected.",
        type=COUNT,
        metavar="N",
        hidden=True,
        reason="a peer that is rejected has to learn it; a silent one gives way to the next",
        beyond="the oldest waiting connection of the address with most of them is closed",
    )
    spare_connections_per_peer: int = setting(
        SPARE_OF_ADDRESS,
        "The same for the connections of one address.",
        type=COUNT,
        metavar="N",
        hidden=True,
        reason="an address that opens connections and says nothing takes its own places",
        beyond="the oldest waiting connection of the address is closed",
    )
    max_verifications: int = of_users(
        MOST_WAITING,
        "Let N user identities wait to be verified in a process.",
        type=COUNT,
        metavar="N",
        hidden=True,
        reason="a passcode takes about 0.1 s on purpose, and one is verified at a time",
        beyond=REJECT,
    )
    max_verifications_per_peer: int = of_users(
        MOST_OF_ADDRESS,
        "The same for the user identities of one address; a wrong one holds its place for a "
        "second.",
        type=COUNT,
        metavar="N",
        hidden=True,
        reason="who guesses passcodes keeps nobody else waiting, and tries no more than N a second",
        beyond=REJECT,
    )
    max_failures: int = of_users(
        MOST_FAILURES,
        "After N wrong passcodes lock a user out at the address that they came from.",
        type=COUNT,
        metavar="N",
        hidden=True,
        reason="people mistype two or three times; at other addresses the user is let in",
        beyond=REJECT,
    )
    max_failures_per_peer: int = of_users(
        MOST_FAILURES_OF_ADDRESS,
        "After N wrong passcodes of any users lock their address out.",
        type=COUNT,
        metavar="N",
        hidden=True,
        reason="who tries one passcode with many names; a gateway speaks for many people",
        beyond=REJECT,
    )
    lockout_time: float = of_users(
        LOCKOUT_TIME,
        "Lock out for this long; wrong passcodes are forgotten after it, too.",
        type=FiniteRange(min=0, min_open=True),
        metavar="SECONDS",
        hidden=True,
        reason="a person can wait that long, and nobody guesses more than 2,880 passcodes a day",
        beyond="",
    )
    request_timeout: float | None = setting(
        TIMEOUTS.associate_request,
        "Wait at most this long for the TLS handshake and the association request.",
        type=SECONDS,
        metavar="SECONDS",
        reason="a person's telnet or a port scan says nothing; a slow line needs some seconds",
        beyond="the connection is closed",
    )
    artim_timeout: float | None = setting(
        TIMEOUTS.artim,
        "Wait at most this long for the peer to close a connection that has ended (ARTIM).",
        type=SECONDS,
        metavar="SECONDS",
        reason="PS3.8 9.1.5 leaves it to the program; the last bytes need no longer",
        beyond="the connection is closed",
    )
    idle_timeout: float | None = setting(
        TIMEOUTS.idle,
        "End an association that is without a request for this long.",
        type=SECONDS,
        metavar="SECONDS",
        reason="viewers keep an association between two clicks, crashed ones keep it for ever",
        beyond="A-ABORT",
    )
    pdu_timeout: float | None = setting(
        TIMEOUTS.pdu,
        "End an association whose PDU takes this long to arrive.",
        type=SECONDS,
        metavar="SECONDS",
        reason="the longest PDU takes 9 s at 56 kbit/s; one byte a second is an attack",
        beyond="A-ABORT",
    )
    write_timeout: float | None = setting(
        TIMEOUTS.write,
        "End an association whose peer reads nothing for this long.",
        type=SECONDS,
        metavar="SECONDS",
        reason="a query holds a connection to the database while its peer does not read",
        beyond="A-ABORT",
    )
    grace: float = setting(
        5,
        "At the end give running requests this long; then abort their associations.",
        type=FiniteRange(min=0),
        metavar="SECONDS",
        reason="a usual query ends sooner; who stops the server waits no longer than this",
        beyond="A-ABORT",
    )
    max_pdu: int = setting(
        65536,
        "The longest P-DATA-TF PDU to receive.",
        type=click.IntRange(4096, 1 << 20),
        metavar="BYTES",
        reason="longer ones make nothing faster, and each association keeps one in memory",
        beyond="A-ABORT, invalid parameter value",
    )
    max_command_set: int = setting(
        Limits().command_set,
        "The longest command set to receive.",
        type=BYTES,
        metavar="BYTES",
        hidden=True,
        reason="a command set has some hundred bytes; all of it is kept until it ends",
        beyond="A-ABORT, invalid parameter value",
    )
    max_waiting_requests: int = setting(
        SessionOptions().most_waiting,
        "Let N requests of an association wait while one is answered.",
        type=click.IntRange(1, 1024),
        metavar="N",
        hidden=True,
        reason="a peer has to wait for its response, unless it negotiated otherwise",
        beyond="A-ABORT",
    )
    max_identifier: int = setting(
        IDENTIFIER_LIMITS.inflated,
        "The longest identifier of a request, also inflated.",
        type=BYTES,
        metavar="BYTES",
        hidden=True,
        reason="it holds a list of 15,000 UIDs of the longest kind",
        beyond=UNREADABLE,
    )
    max_keys: int = setting(
        IDENTIFIER_LIMITS.elements,
        "Take at most N elements of an identifier, with those of its items.",
        type=COUNT,
        metavar="N",
        hidden=True,
        reason="ten times the keys of PS3.4 C.6",
        beyond=UNREADABLE,
    )
    max_nesting: int = setting(
        IDENTIFIER_LIMITS.depth,
        "Take sequences within sequences of an identifier down to depth N.",
        type=click.IntRange(1, 64),
        metavar="N",
        hidden=True,
        reason="keys of PS3.4 C.6 nest one or two deep; each level costs stack",
        beyond=UNREADABLE,
    )
    max_items: int = setting(
        IDENTIFIER_LIMITS.items,
        "Take at most N items of a sequence of an identifier.",
        type=COUNT,
        metavar="N",
        hidden=True,
        reason="a sequence key has one item (PS3.4 C.2.2.2.6)",
        beyond=UNREADABLE,
    )
    max_text: int = setting(
        IDENTIFIER_LIMITS.text,
        "Take at most so many bytes of a key that is text.",
        type=BYTES,
        metavar="BYTES",
        hidden=True,
        reason="LT, the longest text with a limit of its own, has 10,240 characters",
        beyond=UNREADABLE,
    )
    max_values: int = setting(
        IDENTIFIER_LIMITS.values,
        "Take at most N values of a key that is no UID.",
        type=VALUES,
        metavar="N",
        hidden=True,
        reason="each value is a condition for the database",
        beyond=UNREADABLE,
    )
    max_uids: int = setting(
        IDENTIFIER_LIMITS.uids,
        "Take at most N UIDs of a key.",
        type=VALUES,
        metavar="N",
        hidden=True,
        reason="lists of all studies of a cohort are asked for at once",
        beyond=UNREADABLE,
    )
    max_values_of_all: int = setting(
        QueryOptions().most_values,
        "Take at most N values of all keys together, UIDs apart.",
        type=COUNT,
        metavar="N",
        hidden=True,
        reason="so many are read and compiled within some ten milliseconds",
        beyond="status A900",
    )
    max_wild_cards: int = setting(
        QueryOptions().most_wild_cards,
        "Take at most N wild cards of a value.",
        type=COUNT,
        metavar="N",
        hidden=True,
        reason="each may cost a scan of the text that it is held against",
        beyond="status A900",
    )
    max_finds: int | None = setting(
        None,
        "Answer at most N queries at a time in a process.",
        type=COUNT,
        metavar="N",
        hidden=True,
        unset="one for each association",
        reason="each association has one query at a time, so max-associations bounds them",
        beyond="status A700",
    )
    finds_per_second: float | None = setting(
        None,
        "Begin at most N queries of one calling AE title a second in a process.",
        type=RATE,
        metavar="N",
        by_peer=True,
        hidden=True,
        reason="a station that polls in a loop takes time from others; most never do",
        beyond="status A700",
    )
    query_timeout: float | None = setting(
        900.0,
        "End a query that takes this long.",
        type=SECONDS,
        metavar="SECONDS",
        by_peer=True,
        hidden=True,
        reason="100 million matches take less; who asked has given up long before",
        beyond="status A700",
    )
    result_limit: int | None = setting(
        None,
        "End a query with A700 after N matches.",
        type=COUNT,
        metavar="N",
        by_peer=True,
        reason="matches stream in bounded memory, so none is needed; viewers may want one",
        beyond="status A700",
    )
    limit_is_success: bool = setting(
        False,
        "End such a query with Success instead of A700.",
        is_flag=True,
        by_peer=True,
        reason="some peers discard all matches of a query that ends with a failure",
        beyond="",
    )
    max_retrieves: int | None = setting(
        None,
        "Answer at most N retrieves (C-GET, C-MOVE, by HTTP, downloads) at a time in a process.",
        type=COUNT,
        metavar="N",
        hidden=True,
        unset="one for each association",
        reason="each holds some MB and files; one runs at a time on an association",
        beyond="status A701",
    )
    max_retrieve_instances: int | None = setting(
        1_000_000,
        "Refuse a retrieve of more than N instances.",
        type=COUNT,
        metavar="N",
        by_peer=True,
        hidden=True,
        reason="a patient has some ten thousand; each costs ten bytes while the retrieve runs",
        beyond="status A701",
    )
    destination_timeout: float | None = setting(
        TIMEOUTS.connect,
        "Wait at most this long for the connection to a move destination.",
        type=SECONDS,
        metavar="SECONDS",
        hidden=True,
        reason="a destination that is there answers at once; it is tried twice",
        beyond="status A702",
    )
    store_timeout: float | None = setting(
        TIMEOUTS.dimse,
        "Wait at most this long for the response to an instance that was sent.",
        type=SECONDS,
        metavar="SECONDS",
        hidden=True,
        reason="a receiver may write and index an instance before it answers",
        beyond="A-ABORT; that instance counts as failed",
    )
    max_renderings: int = of_web(
        2,
        "Make at most N pictures of images at a time in a process; others wait.",
        type=COUNT,
        metavar="N",
        hidden=True,
        reason="each has a process of its own, which takes a processor",
        beyond="503 by HTTP if 200 wait",
    )
    max_rendered_pixels: int = of_web(
        64_000_000,
        "Make pictures of images of at most N pixels.",
        type=COUNT,
        metavar="N",
        hidden=True,
        reason="a mammogram has 35 million; a pixel takes up to 32 bytes while it is rendered",
        beyond="413 by HTTP",
    )
    rendering_timeout: float = of_web(
        20.0,
        "End the making of a picture that takes longer.",
        type=SECONDS,
        metavar="SECONDS",
        hidden=True,
        reason="a large one takes two seconds; a file can be made to take a decoder hours",
        beyond="503 by HTTP",
    )
    max_http_head: int = of_web(
        65_536,
        "Take at most so many bytes of the line and the headers of a request by HTTP.",
        type=BYTES,
        metavar="BYTES",
        hidden=True,
        reason="a browser sends some hundred, a token adds a few thousand",
        beyond="431 by HTTP",
    )
    max_stow_metadata: int = of_web(
        16_777_216,
        "Take at most so many bytes of a part of metadata by STOW-RS.",
        type=BYTES,
        metavar="BYTES",
        hidden=True,
        reason="so long is that of some thousand instances; it is read as a whole",
        beyond="413 by HTTP",
    )
    max_stow_headers: int = of_web(
        33_554_432,
        "Keep at most so many bytes about the parts of a request with metadata by STOW-RS.",
        type=BYTES,
        metavar="BYTES",
        hidden=True,
        reason="a part has its headers and 256 bytes in memory: a hundred thousand go",
        beyond="413 by HTTP",
    )
    max_step: int = setting(
        LARGEST_STEP,
        "Take at most so many bytes of a performed step by MPPS, also inflated.",
        type=BYTES,
        metavar="BYTES",
        hidden=True,
        reason="a step names its instances: it holds 30,000 with UIDs of the longest kind",
        beyond="status 0213",
    )
    max_orders: int = setting(
        LARGEST_ORDERS,
        "Take at most so many bytes of worklist entries by one request by HTTP.",
        type=BYTES,
        metavar="BYTES",
        hidden=True,
        reason="an entry has a few thousand, so it holds those of some days",
        beyond="413 by HTTP",
    )
    max_hl7_connections: int = of_hl7(
        HL7.connections,
        "Hold at most N connections by HL7 in a process.",
        type=click.IntRange(min=1),
        metavar="N",
        hidden=True,
        reason="a hospital has one or two engines that send orders, each over a few connections",
        beyond="the one that is silent the longest is closed",
    )
    max_hl7_message: int = of_hl7(
        HL7.message_bytes,
        "Take at most so many bytes of a message by HL7.",
        type=click.IntRange(1024, LARGEST_MESSAGE),
        metavar="BYTES",
        hidden=True,
        reason="an order has a few thousand",
        beyond="the connection is closed",
    )
    hl7_timeout: float = of_hl7(
        HL7.message_seconds,
        "Wait at most this long for the rest of a message by HL7, and for its answer to go.",
        type=SECONDS,
        metavar="SECONDS",
        hidden=True,
        reason="a message comes in one or two packets",
        beyond="the connection is closed",
    )
    hl7_idle_timeout: float = of_hl7(
        HL7.idle_seconds,
        "Close a connection by HL7 on which no message comes for this long.",
        type=SECONDS,
        metavar="SECONDS",
        hidden=True,
        reason="an engine may be silent for a night; one that is gone says nothing for ever",
        beyond="the connection is closed",
    )
    reads_per_second: float = of_web(
        5.0,
        "Read a question at the page N times a second while a session types it, one at a time.",
        type=RATE,
        metavar="N",
        hidden=True,
        reason="one who types and rests needs four; each may cost the database 0.3 s",
        beyond="429 by HTTP; the page shows nothing before Enter",
    )
