"""The names of pynetdicom that are not here, with a sentence each on where to find the thing."""

from __future__ import annotations

import re
import sys
from opcode import opmap

_NORMALIZED = (
    "the DIMSE-N services but N-CREATE and N-SET are not here; keep pynetdicom for the others"
)
_NO_THREAD = (
    "not here: an association has no thread; `is_established` and the events tell its end, "
    "release() and abort() bring it about"
)
_WIRE = (
    "not here: handlers hear of associations and requests, not of their bytes; debug_logger() "
    "shows negotiation, identifiers and statuses, and `dicomquest.pdu` decodes PDUs"
)
_INSIDE = "not here: it is a part of pynetdicom's inside; keep pynetdicom for it"
_SIDE = (
    "not here: ask its `primitive`, the A-ASSOCIATE PDU with `user_information`, or the "
    "association's `is_requestor` and `accepted_contexts`"
)
_SERVER = (
    "not here: the server is none of socketserver; start_server() takes address, title, contexts, "
    "handlers and TLS, and the server has bind(), active_associations and shutdown()"
)

# Name of any owner -> sentence.
_OF_ANY = (
    (r"send_n_\w+|EVT_N_\w+|N_(ACTION|CREATE|DELETE|EVENT_REPORT|GET|SET)\w*", _NORMALIZED),
    (r"EVT_(ACSE|DATA|DIMSE|PDU)_(RECV|SENT)|EVT_FSM_TRANSITION", _WIRE),
    (
        r"EVT_(ASYNC_OPS|SOP_COMMON)",
        (
            "not here: the server answers this item of a negotiation without a handler; keep "
            "pynetdicom to answer it by one"
        ),
    ),
    (
        r"\w+PresentationContexts",
        (
            "not here: the lists are those of Verification, Storage and the FIND services; use "
            "build_context() for another SOP class"
        ),
    ),
    (
        r"[A-Z_]+_STATUS",
        (
            "not here: the tables are those of Verification, Storage and the FIND services; "
            "code_to_category() knows the ranges of all codes"
        ),
    ),
    (
        r"\w*ServiceClass|uid_to_service_class",
        "not here: a service is a handler, or `dicomquest serve`; use a SOP class's UID",
    ),
    (
        r"register_uid|UID_dictionary",
        "not here: use the UID of a private class as text, there is nothing to register",
    ),
)

# Owner -> name of this owner alone -> sentence.
_OF_ONE = {
    "dicomquest": (
        ("apps", "not here: use the command line, such as `dicomquest find` and `dicomquest echo`"),
        (
            (
                "acse|dimse_messages|dimse_primitives|dsutils|dul|fsm|pdu_items|service_class|"
                "service_class_n|timer|transport|utils"
            ),
            _INSIDE,
        ),
    ),
    "dicomquest.presentation": (
        (
            r"negotiate_\w+|[A-Z_]*ROLES?|CONTEXT_REJECTED",
            "not here: `dicomquest.ul.negotiation` negotiates, build_role() asks for roles",
        ),
    ),
    "dicomquest.pdu_primitives": (
        (
            (
                r"A_ASSOCIATE|A_RELEASE|A_ABORT|A_P_ABORT|P_DATA|ServiceParameter|"
                r"(ImplementationClassUID|ImplementationVersionName|MaximumLength)Notification"
            ),
            (
                "not here: set `implementation_class_uid`, `implementation_version_name` and "
                "`maximum_pdu_size` of the AE; `dicomquest.pdu.pdus` has the PDUs"
            ),
        ),
    ),
    "dicomquest.association": (
        (r"AcceptorThread|MODE_\w+", _NO_THREAD),
        (r"\w*Handler\w*|\w+_handler", _WIRE),
    ),
    "dicomquest.evt": ((r"get_default_handler|trigger|\w+_file_meta", _INSIDE),),
    "dicomquest.ae": (("make_target|MODE_REQUESTOR", _INSIDE),),
    "dicomquest.dimse": ((r"C_\w+|[Dd][Ii][Mm][Ss][Ee]\w+", _WIRE),),
    "dicomquest.pdu": (
        (r"\w*PDU\w*|[AP]_[A-Z_]+|\w+Item\w*|(UN)?PACK_\w+|U(CHAR|INT[24])", _WIRE),
    ),
    "AE": (
        (
            "make_server",
            "not here: start_server(address, block=False) returns the server",
        ),
    ),
    "Association": (
        (
            (
                "daemon|getName|ident|isDaemon|join|kill|name|native_id|run|run_reactor|setDaemon|"
                "setName|start"
            ),
            _NO_THREAD,
        ),
        ("acse|dimse|dul|lock|request|set_socket|network_timeout_response", _INSIDE),
        ("local|remote|mode", "not here: use `requestor`, `acceptor` and `is_requestor`"),
        (
            r"release|send_c_\w+",
            (
                "not here: an acceptor answers requests, and ends an association by abort(); "
                "associate with the peer to send requests"
            ),
        ),
    ),
    "RunningServer": (
        (
            (
                "RequestHandlerClass|address_family|address_info|ae_title|allow_reuse_address|"
                "allow_reuse_port|block_on_close|close_request|contexts|daemon_threads|fileno|"
                "finish_request|get_request|handle_error|handle_request|handle_timeout|"
                "process_request|process_request_thread|request_queue_size|serve_forever|"
                "server_activate|server_bind|service_actions|shutdown_request|socket_type|"
                "ssl_context|timeout|verify_request"
            ),
            _SERVER,
        ),
    ),
    "ServiceUser": (
        (
            (
                "accepted_common_extended|address_info|assoc|asynchronous_operations|"
                "extended_negotiation|get_contexts|info|is_acceptor|is_requestor|mode|"
                r"role_selection|sop_class_common_extended|supported_contexts|user_information|"
                r"writeable|\w+_negotiation_items?"
            ),
            _SIDE,
        ),
    ),
}

_OF_ONE["dicomquest.events"] = _OF_ONE["dicomquest.evt"]

_IMPORT_FROM = opmap["IMPORT_FROM"]


def sentence(owner: str, name: str) -> str | None:
    """Return the sentence about a name that pynetdicom's ``owner`` has; None for any other."""
    for pattern, words in (*_OF_ONE.get(owner, ()), *_OF_ANY):
        if re.fullmatch(pattern, name):
            return f"dicomquest has no {name}: {words}"
    return None


def no_attribute(owner: str, name: str) -> AttributeError:
    """Return the exception for an attribute that an object of class ``owner`` lacks."""
    return AttributeError(sentence(owner, name) or f"{owner!r} object has no attribute {name!r}")


def no_name(module: str, name: str) -> AttributeError | ImportError:
    """Return the exception for a name that a module lacks, for its ``__getattr__`` to raise."""
    words = sentence(module, name)
    if words is None:
        return AttributeError(f"module {module!r} has no attribute {name!r}")
    asking = sys._getframe(2)  # noqa: SLF001  who asks the module
    # ``from module import name`` replaces an AttributeError, and its sentence, by words of its own.
    if asking.f_code.co_code[asking.f_lasti] == _IMPORT_FROM:
        return ImportError(words, name=name)
    return AttributeError(words)
