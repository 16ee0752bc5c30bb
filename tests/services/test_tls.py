"""The demands on an SSLContext (PS3.15 B.12)."""

from __future__ import annotations

import ssl
import warnings

import pytest

from dicomquest.services.tls import check_tls


@pytest.mark.requirement("UL-120")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_from_1_2_on_is_taken(version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = version
    check_tls(context)


@pytest.mark.requirement("UL-120")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.MINIMUM_SUPPORTED])
def test_older_tls_is_refused_with_the_remedy(version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with warnings.catch_warnings():
        # Python deprecates the old versions that this test needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = version
    with pytest.raises(ValueError, match=f"allows {version.name}: set its minimum_version"):
        check_tls(context)
