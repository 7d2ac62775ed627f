"""The faults that WinRM's clients meet, with Windows' numbers and words."""

from typing import Final
from xml.sax.saxutils import escape

from lab.winrm import soap

_ACTION: Final = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
_FAULT: Final = (
    "<s:Fault><s:Code><s:Value>s:%s</s:Value><s:Subcode><s:Value>%s</s:Value></s:Subcode></s:Code>"
    '<s:Reason><s:Text xml:lang="en-US">%s</s:Text></s:Reason>'
    '<s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"'
    ' Code="%d" Machine="%s"><f:Message>%s</f:Message></f:WSManFault></s:Detail></s:Fault>'
)


class Fault(Exception):  # noqa: N818 - SOAP's own word
    """A request that the service refuses."""

    def __init__(self, code: int, reason: str, *, subcode: str, sender: bool = True) -> None:
        """Say why.

        Args:
            code: Windows' number of it.
            reason: in Windows' words.
            subcode: WS-Management's word for it, with its prefix.
            sender: whether it is the client's fault, and not the service's.
        """
        self.code = code
        self.reason = reason
        self.subcode = subcode
        self.sender = sender
        super().__init__(reason)

    def envelope(self, request: soap.Request, machine: str) -> bytes:
        """The answer that tells it.

        Args:
            request: what was asked for.
            machine: the address as which the machine names itself.
        """
        side, reason = "Sender" if self.sender else "Receiver", escape(self.reason)
        body = _FAULT % (side, self.subcode, reason, self.code, machine, reason)
        return soap.answer(request, body, action=_ACTION)


def operation_timeout() -> Fault:
    """Nothing to tell before the request's time was over."""
    reason = (
        "The WS-Management service cannot complete the operation within the time specified in"
        " OperationTimeout.  "
    )
    return Fault(2150858793, reason, subcode="w:TimedOut", sender=False)


def unknown_shell(shell_id: str) -> Fault:
    """No shell of that user has this id."""
    reason = (
        f"The request for the Windows Remote Shell with ShellId {shell_id} failed because the shell was not"
        " found on the server. Possible causes are: the specified ShellId is incorrect or the shell no longer"
        " exists on the server. Provide the correct ShellId or create a new shell and retry the operation. "
    )
    return Fault(2150858843, reason, subcode="w:InvalidSelectors")


def unknown_command() -> Fault:
    """The shell has no command with this id."""
    reason = (
        "The Windows Remote Shell received a request to perform an operation on a command identifier that"
        " does not exist. Either the command has completed execution or the client specified an invalid"
        " command identifier. "
    )
    return Fault(2150858843, reason, subcode="w:InvalidSelectors")


def too_many_shells(limit: int) -> Fault:
    """The user's shells are all in use."""
    reason = (
        "The WS-Management service cannot process the request. This user is allowed a maximum number of"
        f" {limit} concurrent shells, which has been exceeded. Close existing shells or raise the quota for"
        " this user. "
    )
    return Fault(2150859173, reason, subcode="w:QuotaLimit")


def too_many_operations(limit: int) -> Fault:
    """The user has too much under way."""
    reason = (
        "The WS-Management service cannot process the request. This user is allowed a maximum number of"
        f" {limit} concurrent operations, which has been exceeded. Close existing operations for this user,"
        " or raise the quota for this user. "
    )
    return Fault(2150859174, reason, subcode="w:QuotaLimit")


def access_denied() -> Fault:
    """The user may not do that."""
    return Fault(5, "Access is denied. ", subcode="w:AccessDenied")


def envelope_too_big(limit: int) -> Fault:
    """The request is longer than MaxEnvelopeSizekb allows.

    The number is Windows' for an envelope that is too large; how it words this is not known.
    """
    reason = (
        "The size of the request exceeded the configured envelope size quota"
        f" ({limit} bytes). Raise MaxEnvelopeSizekb or send less at a time. "
    )
    return Fault(2150858790, reason, subcode="w:EncodingLimit")


def line_too_long() -> Fault:
    """The command line is longer than Windows takes."""
    reason = "The filename or extension is too long. "
    return Fault(206, reason, subcode="w:InternalError", sender=False)


def program_not_found() -> Fault:
    """There is no such program to start."""
    reason = "The system cannot find the file specified. "
    return Fault(2, reason, subcode="w:InternalError", sender=False)


def pipe_closed() -> Fault:
    """Input for a command that takes none any more."""
    return Fault(232, "The pipe is being closed. ", subcode="w:InternalError", sender=False)


def unsupported(action: str) -> Fault:
    """An action that this service does not know."""
    reason = (
        "The WS-Management service does not support the action specified in the request."
        f" The action was {action}. "
    )
    return Fault(2150858771, reason, subcode="a:ActionNotSupported")


def wrong_parameter() -> Fault:
    """A part of the request is missing, or makes no sense."""
    return Fault(87, "The parameter is incorrect. ", subcode="w:InvalidParameter")
