"""Why there is no association with a peer, in words, and the way out (PS3.8 7.1, 9.3.4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dicomquest.cli.peer_probe import (
    SERVICES,
    accepted_services,
    patience,
    speaks_http,
    speaks_plainly,
    speaks_tls,
)
from dicomquest.errors import (
    AssociationRejectedError,
    ConnectionFailedError,
    ContextNotAcceptedError,
)
from dicomquest.standard.models import MODELS, PATIENT_ROOT, PATIENT_STUDY_ONLY, STUDY_ROOT

if TYPE_CHECKING:
    from collections.abc import Collection

    from dicomquest.cli.peer_probe import Reach

_CALLING_UNKNOWN, _CALLED_UNKNOWN = (1, 3), (1, 7)
_USER_UNKNOWN = (2, 1)
_BUSY = {(3, 1), (3, 2)}
"""Source and reason of rejections (PS3.8 Table 9-21)."""

_DEFAULT_CALLED, _DEFAULT_CALLING = "ANY-SCP", "DICOMQUEST"
_ORTHANC_HTTP_PORT = 8042
_MODEL_OPTIONS = (("study", STUDY_ROOT), ("patient", PATIENT_ROOT), ("psonly", PATIENT_STUDY_ONLY))

_OPENSSL = re.compile(r"\[SSL: \w+\] | \(_ssl\.c:\d+\)|_ssl\.c:\d+: ")
"""The places in OpenSSL's messages that say nothing to a user."""

# The words of the system and of OpenSSL, in the messages of failed connections.
_CONNECTION_REMEDIES = (
    ("refused", "Nothing listens there: check the port (usual ones are 104, 11112 and 4242)."),
    ("Name or service not known", "No such host: check its name."),
    ("nodename nor servname", "No such host: check its name."),
    ("No address associated", "No such host: check its name."),
    ("unreachable", "No way leads there: check the address and the network."),
    ("No route to host", "No way leads there: check the address and the network."),
    ("handshake operation timed out", ""),
    ("timed out", "The host keeps silent: check address and port, and the firewall between."),
)


def trouble(
    host: str,
    port: int,
    settings: Reach,
    failure: Exception | None,
    abstract_syntax: str | None = None,
) -> str:
    """Return why there is no association for a service, and on a second line the way out.

    Where the failure does not tell, the peer is asked again by other protocols, for some seconds.
    """
    at = f"{host} port {port}"
    match failure:
        case ContextNotAcceptedError() if abstract_syntax is not None:
            return _no_context(host, port, settings, abstract_syntax)
        case AssociationRejectedError():
            words = f"no association with {settings.aec} at {at}: {failure}"
            return _joined(words, _rejection_remedy(settings, failure))
        case ContextNotAcceptedError():
            return str(failure)
        case ConnectionFailedError() if settings.tls_context() is not None:
            words = _OPENSSL.sub("", str(failure))
            return _joined(words, _tls_remedy(host, port, settings, str(failure)))
        case ConnectionFailedError():
            return _joined(str(failure), _connection_remedy(str(failure)))
        case _:
            return _no_answer(host, port, settings, failure)


def _joined(words: str, remedy: str) -> str:
    return f"{words}\n  {remedy}" if remedy else words


def _connection_remedy(words: str) -> str:
    return next((remedy for part, remedy in _CONNECTION_REMEDIES if part in words), "")


def _rejection_remedy(settings: Reach, failure: AssociationRejectedError) -> str:
    cause = failure.source, failure.reason
    if cause == _CALLED_UNKNOWN:
        if settings.aec == _DEFAULT_CALLED:
            return f"{_DEFAULT_CALLED} is only our default. Name the peer's title: --aec TITLE."
        return f"The peer does not call itself {settings.aec}. Name its title: --aec TITLE."
    if cause == _CALLING_UNKNOWN:
        ours = " (our default)" if settings.aet == _DEFAULT_CALLING else ""
        return (
            f"The peer does not know {settings.aet}{ours}. Name a title that it knows: "
            "--aet TITLE, or have ours added there."
        )
    if cause == _USER_UNKNOWN:
        if settings.user_identity() is None:
            return (
                "The peer asks who the user is: --user NAME --password-file FILE, or --token-file."
            )
        return "The peer does not believe our user: check name, password or token."
    return "The peer is busy: try again later." if cause in _BUSY else ""


def _tls_remedy(host: str, port: int, settings: Reach, words: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in words:
        if "Hostname mismatch" in words or "IP address mismatch" in words:
            return "Its certificate is for another name: use the name that it has."
        return "Name the authority that signed the peer's certificate: --tls-ca FILE."
    if remedy := _connection_remedy(words):
        return remedy
    if speaks_http(host, port, patience(settings)):
        return f"{_http(host, port)} Leave the TLS options out, and name its DICOM port."
    if speaks_plainly(host, port, settings):
        return "The peer speaks DICOM without TLS: leave the TLS options out."
    return "The peer does not seem to speak TLS there: check the port."


def _http(host: str, port: int) -> str:
    return f"{host} port {port} speaks HTTP, not DICOM."


def _no_answer(host: str, port: int, settings: Reach, failure: Exception | None) -> str:
    """Return the words for a peer that took the connection and no association."""
    words = f"no association with {settings.aec} at {host} port {port}: {failure}"
    if settings.tls_context() is not None:
        return _joined(
            words,
            "Perhaps the peer asks for our certificate: --tls-cert FILE, --tls-key FILE."
            if settings.tls_cert is None
            else "Perhaps the peer does not trust our certificate.",
        )
    if speaks_http(host, port, patience(settings)):
        hint = " Orthanc's DICOM port is usually 4242." if port == _ORTHANC_HTTP_PORT else ""
        return _joined(f"{_http(host, port)}{hint}", "" if hint else "Name the peer's DICOM port.")
    if speaks_tls(host, port, patience(settings)):
        return f"{host} port {port} speaks TLS: add --tls or --tls-ca FILE."
    return _joined(
        words,
        "It takes connections and does not answer DICOM: check the port, or ask who runs it.",
    )


def _no_context(host: str, port: int, settings: Reach, abstract_syntax: str) -> str:
    from pydicom.uid import UID

    accepted = accepted_services(host, port, settings)
    wanted = SERVICES.get(abstract_syntax, UID(abstract_syntax).name)
    words = (
        f"{settings.aec} at {host} port {port} accepts associations but no {wanted}: "
        f"{services_in_words(accepted)}"
    )
    # The same service under another model: find by find, get by get.
    others = [
        option
        for option, model in _MODEL_OPTIONS
        for service in ("uid", "get_uid", "move_uid")
        if getattr(model, service) in accepted
        and abstract_syntax in {getattr(each, service) for each in MODELS}
    ]
    if others:
        return _joined(words, f"Ask by that model: -m {others[0]}.")
    moves = any(model.get_uid == abstract_syntax and model.move_uid in accepted for model in MODELS)
    return _joined(words, "It has C-MOVE: dicomquest move." if moves else "")


def services_in_words(accepted: Collection[str]) -> str:
    """Return the services of abstract syntaxes: ``it takes Verification and Storage (13)``."""
    named = [words for uid, words in SERVICES.items() if uid in accepted]
    if count := sum(1 for uid in accepted if uid not in SERVICES):
        named.append(f"Storage ({count} class{'es' * (count != 1)})")
    if not named:
        return "it takes nothing that we know"
    return (
        f"it takes {named[0] if len(named) == 1 else ', '.join(named[:-1]) + ' and ' + named[-1]}"
    )
