"""What the services share of providers: parties outside, reached over the network, that throttle, stall and die.

    names      lists of providers in settings, and what is missing for one
    accounts   settings: where vendors are, and our keys there
    failures   what a refusal means: worth another try, or not
    breaker    who is asked first after failures, and who rests
    backoff    how long to wait before the next try
    pcm        audio as it comes over the network: headers, odd bytes, pieces of any size
    frames     messages of JSON
    tls        one TLS context a process
    http       requests with a body that streams back
    socket     WebSockets
    failing    errors of those two as ProviderErrors

``http`` and ``socket`` want ``voxbus-common[providers]``.
"""
