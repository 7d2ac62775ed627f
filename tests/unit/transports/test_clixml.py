from hypothesis import given
from hypothesis import strategies as st

from workers.transports.winrm.clixml import as_text

HEAD = b'#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
PROGRESS = b'<Obj S="progress" RefId="0"><TN RefId="0"><T>System.Object</T></TN></Obj>'


def error(text: bytes) -> bytes:
    return b'<S S="Error">' + text + b"</S>"


def test_errors_are_taken_out_and_all_else_in_the_document_is_left() -> None:
    warning = b'<S S="Warning">careful</S>'
    document = HEAD + PROGRESS + warning + error(b"one_x000D__x000A_") + error(b"two") + b"</Objs>"
    assert as_text(document) == b"one\r\ntwo"


def test_what_is_no_clixml_stays_as_it_is() -> None:
    assert as_text(b'plain \xff bytes <S S="Error">') == b'plain \xff bytes <S S="Error">'
    document = HEAD + error(b"said") + b"</Objs>"
    assert as_text(b"before\n" + document + b"after" + document) == b"before\nsaidaftersaid"


def test_markup_and_escapes_become_characters() -> None:
    said = error("a &lt;b&gt; &amp; _x005F_ ü _xD83D__xDE00_ _x12_".encode())
    assert as_text(HEAD + said + b"</Objs>").decode() == "a <b> & _ ü \N{GRINNING FACE} _x12_"


def test_half_of_a_surrogate_pair_is_shown_and_does_not_raise() -> None:
    assert as_text(HEAD + error(b"x_xD83D_y") + b"</Objs>") == b"x\xef\xbf\xbdy"


def test_document_that_was_cut_off_gives_what_came() -> None:
    assert as_text(HEAD + error(b"whole") + b'<S S="Error">cut') == b"wholecut"


@given(st.binary())
def test_any_bytes_are_taken(data: bytes) -> None:
    as_text(data)
    as_text(HEAD + data)
