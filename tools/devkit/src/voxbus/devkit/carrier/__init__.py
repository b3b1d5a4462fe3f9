"""A telephone carrier that speaks Twilio's protocols, without a telephone network.

Signed webhooks, TwiML, media streams at the pace of real time, marks, clear, digits, callbacks, an echo on
the line, and both behaviours where the vendor leaves open what happens.
"""

from voxbus.devkit.carrier.call import Call, Carrier
from voxbus.devkit.carrier.core_line import LineQuality
from voxbus.devkit.carrier.core_numbers import IncomingNumber
from voxbus.devkit.carrier.core_spans import Span
from voxbus.devkit.carrier.exchange import Exchange, Telephone
from voxbus.devkit.carrier.handset import Handset, LineEnded, Party, Spoken
from voxbus.devkit.carrier.plan import CallPlan
from voxbus.devkit.carrier.recording import Moment, Recording
from voxbus.devkit.carrier.rest import RestApi
from voxbus.devkit.carrier.result import CallResult, Entry, Executed
from voxbus.devkit.carrier.route import Route

__all__ = [
    "Call",
    "CallPlan",
    "CallResult",
    "Carrier",
    "Entry",
    "Exchange",
    "Executed",
    "Handset",
    "IncomingNumber",
    "LineEnded",
    "LineQuality",
    "Moment",
    "Party",
    "Recording",
    "RestApi",
    "Route",
    "Span",
    "Spoken",
    "Telephone",
]
