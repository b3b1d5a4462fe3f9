"""Simulated vendors: the server side of every provider's protocol, in one process, strict, and failing on request.

    server          all of them on one port, each under a path of its own; what was wrong is counted
    faults          what goes wrong, and when
    wire            what a vendor sends, through a fault
    ear             recognizes phrases that it was told, in any call, however they arrive
    mind            the model: the agent's own scripted dialogue
    mouth           the voice: eSpeak NG
    deepgram_flux   v2/listen          deepgram_aura  v1/speak          openai_chat  chat/completions

They are written from the vendors' documents, and know nothing of our clients.
"""
