import pytest

from workers.transports.winrm.extras import kerberos_reason

AS_PYWINRM_SAYS_IT = (
    "authGSSClientInit() failed: (('No credentials were supplied, or the credentials were unavailable or "
    "inaccessible', 458752), (\"Can't find client principal a@B in cache collection\", -1765328243))"
)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (AS_PYWINRM_SAYS_IT, "Can't find client principal a@B in cache collection"),
        (
            "authGSSClientStep() failed: (('Miscellaneous failure', 851968), ('Ticket expired', 7))",
            "Ticket expired",
        ),
        ("authGSSClientStep() failed, result: -1", "authGSSClientStep() failed, result: -1"),
    ],
)
def test_the_telling_text_is_the_last_one(said: str, reason: str) -> None:
    assert kerberos_reason(OSError(said)) == reason
