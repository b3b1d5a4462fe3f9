from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus.devkit.carrier import core_twiml as twiml
from voxbus.devkit.carrier.core_twiml import TwimlError, parse


def test_a_stream_with_everything() -> None:
    document = """<?xml version="1.0" encoding="UTF-8"?>
    <Response>
      <Connect action="/after" method="get">
        <Stream url="wss://gw.example/twilio/stream/CA1" name="call" statusCallback="/stream-status">
          <Parameter name="session" value="s1"/>
          <Parameter name="token" value="a&amp;b"/>
        </Stream>
      </Connect>
      <Redirect method="POST">https://gw.example/twilio/next?n=1</Redirect>
    </Response>"""
    stream = twiml.Stream(
        url="wss://gw.example/twilio/stream/CA1",
        name="call",
        status_callback="/stream-status",
        parameters={"session": "s1", "token": "a&b"},
    )
    assert parse(document) == (
        twiml.Connect(stream, action="/after", method="GET"),
        twiml.Redirect("https://gw.example/twilio/next?n=1"),
    )


def test_the_other_verbs() -> None:
    document = (
        "<Response><Say voice='alice'>Sorry.</Say><Pause length='2'/><Pause/>"
        "<Dial timeout='20' callerId='+15550100001'>+15550100009</Dial>"
        "<Dial action='/after'><Number>+15550100008</Number></Dial><Hangup/></Response>"
    )
    assert parse(document) == (
        twiml.Say("Sorry.", voice="alice"),
        twiml.Pause(2),
        twiml.Pause(1),
        twiml.Dial("+15550100009", timeout_s=20, caller_id="+15550100001"),
        twiml.Dial("+15550100008", action="/after"),
        twiml.Hangup(),
    )


def test_an_empty_response_is_no_verb() -> None:
    assert parse("<Response/>") == ()


@pytest.mark.parametrize(
    ("verbs", "code"),
    [
        ("<Play>https://x.example/a.mp3</Play>", 12200),
        ("<hangup/>", 12200),
        ("<Hangup now='1'/>", 12200),
        ("<Redirect/>", 12200),
        ("<Redirect method='PUT'>/next</Redirect>", 12200),
        ("<Pause length='long'/>", 12200),
        ("<Dial/>", 12200),
        ("<Dial>1<Number>2</Number></Dial>", 12200),
        ("<Connect/>", 12200),
        ("<Connect><Stream url='wss://a.example/x' track='both_tracks'/></Connect>", 12200),
        ("<Connect><Stream url='wss://a.example/x'><Param name='a' value='b'/></Stream></Connect>", 12200),
        ("<Connect><Stream url='wss://a.example/x'><Parameter value='b'/></Stream></Connect>", 12200),
        ("<Connect><Stream url='https://a.example/x'/></Connect>", 31922),
        ("<Connect><Stream url='ws://a.example/x'/></Connect>", 31922),
        ("<Connect><Stream/></Connect>", 31922),
        ("<Connect><Stream url='wss://a.example/x?token=1'/></Connect>", 31923),
        ("<Connect><Stream url='wss:///x'/></Connect>", 31923),
        ("<Dial timeout='99999999'>+1</Dial>", 12200),
        ("<Pause length='99999999'/>", 12200),
        ("<Connect><Stream url='wss://[::1'/></Connect>", 31923),
    ],
)
def test_what_is_wrong_is_refused_with_the_carriers_code(verbs: str, code: int) -> None:
    with pytest.raises(TwimlError) as error:
        parse(f"<Response>{verbs}</Response>")
    assert error.value.code == code


@pytest.mark.parametrize(
    ("document", "code"),
    [("<Response>", 12100), ("hello", 12100), ("<html/>", 12200), ("<Response>\ud800</Response>", 12100)],
)
def test_a_document_that_is_none(document: str, code: int) -> None:
    with pytest.raises(TwimlError) as error:
        parse(document)
    assert error.value.code == code


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:8080"])
def test_a_stream_on_this_machine_needs_no_tls(host: str) -> None:
    (verb,) = parse(f"<Response><Connect><Stream url='ws://{host}/x'/></Connect></Response>")
    assert isinstance(verb, twiml.Connect)


@given(st.integers(1, 600))
def test_a_parameter_stays_under_500_characters(size: int) -> None:
    document = (
        "<Response><Connect><Stream url='wss://a.example/x'>"
        f"<Parameter name='n' value='{'v' * size}'/></Stream></Connect></Response>"
    )
    if size + 1 < 500:
        assert len(parse(document)) == 1
    else:
        with pytest.raises(TwimlError):
            parse(document)
