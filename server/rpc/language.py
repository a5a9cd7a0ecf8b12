"""Chooses the language of the current call's answer.

Follows docs/api.md "Languages": the user's preferred language, then `accept-language`,
then `grpcgateway-accept-language`, then the default.
"""

from server.locale import Locale, Texts
from server.rpc.call_info import current_call
from server.rpc.metadata import metadata_text


def texts_of_call(locale: Locale) -> Texts:
    call = current_call()
    caller, metadata = call.caller, call.metadata
    return locale.best(
        caller.language if caller else "",
        metadata_text(metadata, "accept-language"),
        metadata_text(metadata, "grpcgateway-accept-language"),
    )
