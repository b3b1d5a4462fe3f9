"""eSpeak NG: a small formant synthesizer, embedded, no keys.

It is GPL-3.0 and keeps global state. Both are reasons to load it into processes of its own
(docs/decisions/0004-espeak-in-its-own-process.md):

    provider.py   the provider: names of voices, texts
    pool.py       processes, shared by all sentences, replaced when they die
    process.py    one of them: started, asked, cancelled, killed
    wire.py       what crosses the pipes
    child.py      the process: reads requests, writes audio
    library.py    libespeak-ng by ctypes; nothing but child.py imports it
    names.py      how voices are called
"""
