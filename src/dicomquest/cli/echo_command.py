"""``dicomquest echo``: ask a peer whether it answers us (C-ECHO, PS3.7 9.1.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from dicomquest.cli.help_page import PageCommand
from dicomquest.cli.messages import give_up, say
from dicomquest.cli.named_peers import PeerArgument
from dicomquest.cli.peer import PeerSettings, associate, peer_name
from dicomquest.cli.shared_options import PORT, options_of
from dicomquest.errors import AssociationError
from dicomquest.escaping import escaped
from dicomquest.standard.sop_classes import SOUGHT, VERIFICATION

if TYPE_CHECKING:
    from dicomquest.services.request import ServiceUser
    from dicomquest.sync import Association


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a peer: what it says of itself, and the seconds of each step.

    ``accepted`` has the UIDs of each accepted presentation context, abstract and transfer syntax;
    ``refused`` the abstract syntaxes of the others.
    """

    peer: ServiceUser
    association_seconds: float
    echo_seconds: float
    release_seconds: float
    accepted: tuple[tuple[str, str], ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def implementation(self) -> str:
        """The name of the peer's implementation, or its UID."""
        return (
            self.peer.implementation_version_name
            or self.peer.implementation_class_uid
            or "an unnamed implementation"
        )


@click.command(cls=PageCommand)
@click.argument("host", cls=PeerArgument, metavar="PEER|HOST")
@click.argument("port", type=PORT, metavar="[PORT]")
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Print the peer's implementation, what it accepts of common SOP classes, and the times.",
)
@options_of(PeerSettings)
def echo(host: str, port: int, *, verbose: bool, **values: Any) -> None:
    """Ask the peer at HOST and PORT, or the named PEER, whether it answers us (C-ECHO).

    \b
      dicomquest echo pacs1
      dicomquest echo pacs 11112 --verbose
      dicomquest echo pacs 104 --aec ARCHIVE --aet LAB
      dicomquest echo pacs 2762 --tls-ca hospital.pem --tls-cert lab.pem --tls-key lab.key

    The exit status is 0 if the peer answered, 1 if it refused or failed, 2 if the command line is
    wrong, 130 after Ctrl-C.
    """  # noqa: D301
    run(host, port, PeerSettings(**values), verbose=verbose)


def run(host: str, port: int, settings: PeerSettings, *, verbose: bool) -> None:
    """Ask; raise click's Exit unless the peer answered with Success."""
    settings.tell_if_readable(host)
    try:
        answer = ask(host, port, settings, looks_closer=verbose)
    except AssociationError as error:
        raise give_up(str(error)) from error
    milliseconds = f"{answer.echo_seconds * 1000:.1f} ms"
    say(f"{peer_name(host, port, settings)} answered in {milliseconds} ({answer.implementation})")
    if verbose:
        click.echo("\n".join(_details(answer)))


def ask(host: str, port: int, settings: PeerSettings, *, looks_closer: bool = False) -> Answer:
    """Ask a peer; AssociationError says why it did not answer, or with which status.

    ``looks_closer`` proposes all SOP classes that one may want to know about.
    """
    wanted = [each.uid for each in SOUGHT] if looks_closer else [VERIFICATION.uid]
    import dicomquest.sync  # noqa: F401  (its import is no time of the peer's)

    began = perf_counter()
    association = associate(host, port, settings, wanted)
    associated = perf_counter()
    try:
        response = association.echo()
        answered = perf_counter()
        accepted, refused = _contexts(association) if looks_closer else ((), ())
    except BaseException:
        association.abort()
        raise
    name = peer_name(host, port, settings)
    if response is None:
        reason = association.failure or "the association ended"
        raise AssociationError(f"{name} did not answer C-ECHO: {reason}")
    before_release = perf_counter()
    association.release()
    if response.status != 0:
        raise AssociationError(f"{name} answered C-ECHO with status {response.status:04X}")
    return Answer(
        association.acceptor,
        associated - began,
        answered - associated,
        perf_counter() - before_release,
        accepted,
        refused,
    )


def _contexts(
    association: Association,
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    accepted = [
        (str(context.abstract_syntax), str(context.transfer_syntax[0]))
        for context in association.accepted_contexts
    ]
    refused = [str(context.abstract_syntax) for context in association.rejected_contexts]
    return tuple(accepted), tuple(refused)


def _details(answer: Answer) -> Iterator[str]:
    from pydicom.uid import UID

    peer = answer.peer
    yield f"Implementation     {escaped(peer.implementation_version_name or 'without a name')}"
    yield f"Implementation UID {escaped(peer.implementation_class_uid) or 'none'}"
    yield f"Longest PDU        {f'{peer.maximum_length:,} bytes' if peer.maximum_length else 'any'}"
    yield f"Association        {answer.association_seconds * 1000:.1f} ms, with the connection"
    yield f"C-ECHO             {answer.echo_seconds * 1000:.1f} ms"
    yield f"Release            {answer.release_seconds * 1000:.1f} ms"
    names = {each.uid: each.name for each in SOUGHT}
    for syntax in dict.fromkeys(transfer_syntax for _, transfer_syntax in answer.accepted):
        yield f"Accepted, in {UID(syntax).name}"
        yield from (
            f"  {names[uid]}" for uid, accepted_in in answer.accepted if accepted_in == syntax
        )
    if answer.refused:
        yield "Not accepted"
        yield from (f"  {names[uid]}" for uid in answer.refused)
