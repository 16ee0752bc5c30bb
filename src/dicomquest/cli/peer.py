"""The way to a peer: its options, and one association with one presentation context."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from dicomquest.cli.messages import give_up
from dicomquest.cli.own_identity import own_identity, tell_if_readable
from dicomquest.cli.shared_options import FILE, SECONDS, ae_title, client_tls, setting
from dicomquest.errors import AssociationError

if TYPE_CHECKING:
    import ssl

    from dicomquest.pdu.user_information import UserIdentityRQ
    from dicomquest.scu.requestor import Requestor
    from dicomquest.sync import Association

UNCOMPRESSED = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
"""Explicit and Implicit VR Little Endian, for identifiers (PS3.5 10)."""


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """The way to a peer; each field is an option."""

    aec: str = setting(
        "ANY-SCP",
        "The AE title of the peer (called).",
        short=("-aec",),
        type=ae_title,
        metavar="TITLE",
    )
    aet: str = setting(
        "DICOMQUEST",
        "Our own AE title (calling).",
        short=("-aet",),
        type=ae_title,
        metavar="TITLE",
    )
    connection_timeout: float = setting(
        10.0, "Wait at most this long for the connection.", type=SECONDS, metavar="SECONDS"
    )
    acse_timeout: float = setting(
        30.0,
        "Wait at most this long for the answer to an association or release request.",
        type=SECONDS,
        metavar="SECONDS",
    )
    dimse_timeout: float = setting(
        60.0, "Wait at most this long for a response.", type=SECONDS, metavar="SECONDS"
    )
    max_pdu: int = setting(
        65536,
        "The longest P-DATA-TF PDU to receive.",
        type=click.IntRange(4096, 1 << 20),
        metavar="BYTES",
    )
    tls: bool = setting(False, "Speak TLS, and trust the authorities of the system.", is_flag=True)
    tls_ca: str | None = setting(
        None, "Speak TLS, and trust the authorities in this file (PEM).", type=FILE, metavar="FILE"
    )
    tls_cert: str | None = setting(
        None, "Speak TLS, and show the certificate in this file (PEM).", type=FILE, metavar="FILE"
    )
    tls_key: str | None = setting(
        None,
        "The key of --tls-cert, if it is in a file of its own (PEM).",
        type=FILE,
        metavar="FILE",
    )
    user: str | None = setting(
        None,
        "Ask as this user; the password comes from --password-file or DICOMQUEST_PASSWORD.",
        metavar="NAME",
    )
    password_file: str | None = setting(
        None, "The file whose first line is the password of --user.", type=FILE, metavar="FILE"
    )
    token_file: str | None = setting(
        None,
        "Ask with the JSON Web Token in this file, or in DICOMQUEST_TOKEN.",
        type=FILE,
        metavar="FILE",
    )

    def tell_if_readable(self, host: str) -> None:
        """Warn of a password or a token that is not encrypted on its way."""
        tell_if_readable(host, self.user_identity(), tls=self.tls_context() is not None)

    def user_identity(self) -> UserIdentityRQ | None:
        """Return the user identity to give; None for none."""
        return own_identity(self.user, self.password_file, self.token_file)

    def tls_context(self) -> ssl.SSLContext | None:
        """Return None for a connection without TLS."""
        return client_tls(tls=self.tls, cert=self.tls_cert, key=self.tls_key, ca=self.tls_ca)


@contextmanager
def associated(
    host: str,
    port: int,
    settings: PeerSettings,
    abstract_syntax: str,
    extended: Mapping[str, bytes] | None = None,
) -> Iterator[Association]:
    """Hold an association with one presentation context, or print why there is none and raise."""
    try:
        association = associate(host, port, settings, [abstract_syntax], extended)
    except AssociationError as error:
        raise give_up(str(error)) from error
    try:
        yield association
    except click.exceptions.Exit:  # the peer failed a request, the association is in order
        association.release()
        raise
    except BaseException:
        association.abort()
        raise
    association.release()


@contextmanager
def further_association(
    host: str,
    port: int,
    settings: PeerSettings,
    abstract_syntax: str,
    extended: Mapping[str, bytes] | None = None,
) -> Iterator[Association]:
    """Hold one more association with the peer; AssociationError says why there is none."""
    with associate(host, port, settings, [abstract_syntax], extended) as association:
        yield association


def associate(
    host: str,
    port: int,
    settings: PeerSettings,
    abstract_syntaxes: Sequence[str],
    extended: Mapping[str, bytes] | None = None,
) -> Association:
    """Return an association; AssociationError says why there is none, with the remedy.

    The first abstract syntax is the one that the caller needs.
    """
    requestor = _requestor(settings, abstract_syntaxes, extended or {})
    association = _associate(host, port, settings, requestor)
    if not association.is_established:
        from dicomquest.cli.connection_trouble import trouble

        reason = trouble(host, port, settings, association.failure, abstract_syntaxes[0])
        raise AssociationError(reason)
    return association


def _requestor(
    settings: PeerSettings, abstract_syntaxes: Sequence[str], extended: Mapping[str, bytes]
) -> Requestor:
    # Not by AE: its contexts are pydicom's UIDs, and importing pydicom takes as long as an echo.
    from dicomquest.pdu.pdus import AAssociateRQ
    from dicomquest.pdu.user_information import (
        IMPLEMENTATION_CLASS_UID,
        IMPLEMENTATION_VERSION_NAME,
        ExtendedNegotiation,
        UserInformation,
    )
    from dicomquest.scu.proposal import patience
    from dicomquest.scu.requestor import Requestor
    from dicomquest.ul.negotiation import propose_contexts

    information = UserInformation(
        maximum_length=settings.max_pdu,
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
        implementation_version_name=IMPLEMENTATION_VERSION_NAME,
        extended_negotiations=tuple(
            ExtendedNegotiation(uid, offered) for uid, offered in extended.items()
        ),
        user_identity_rq=settings.user_identity(),
    )
    contexts = propose_contexts([(each, UNCOMPRESSED) for each in abstract_syntaxes])
    timeouts = patience(
        connection=settings.connection_timeout,
        acse=settings.acse_timeout,
        dimse=settings.dimse_timeout,
    )
    return Requestor(AAssociateRQ(settings.aec, settings.aet, contexts, information), timeouts)


def _associate(host: str, port: int, settings: PeerSettings, requestor: Requestor) -> Association:
    from dicomquest.scu.proposal import peer_at
    from dicomquest.sync import Association

    tls = settings.tls_context()
    association = Association(
        peer_at(host, port, tls=None if tls is None else (tls, host)), requestor
    )
    association.open()
    return association


def peer_name(host: str, port: int, settings: PeerSettings) -> str:
    """Name a peer for a message."""
    return f"{settings.aec} at {host} port {port}"


def no_association(host: str, port: int, settings: PeerSettings, failure: Exception | None) -> str:
    """Return why there is no association, and on a second line the way out if there is one."""
    from dicomquest.cli.connection_trouble import trouble

    return trouble(host, port, settings, failure)
