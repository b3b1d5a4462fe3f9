"""The browser phone: a page that is a caller and its carrier in one.

    page  GET /phone                      what is served from ``assets``
          GET /phone/agents               whom one may call, and what one can say to them
          POST /phone/calls               a CallSid, a stream token, and the key of the call
          WS /voice                       Media Streams, as Twilio speaks them
          GET /phone/calls/{sid}/events   the call as it goes, for who has its key
          POST /phone/calls/{sid}/next    the stream is over: what now?

Behind ``WS /voice`` nothing is special about such a call.
"""
