"""PocketSphinx, embedded: no keys, no network; it hears what the agent's grammar allows and nothing else.

provider   collects the audio of a stretch of speech, has it recognized while the caller's silence goes on
dictionary which grammars can be searched
pool       recognition processes (the library holds the interpreter's lock while it searches)
process    one of them, seen from the worker
child      one of them, from the inside
decoder    grammar, search, rejection of what is not in the grammar
phones     a second look: the phones of the phrase, and any phones
plausible  how sure it is that the phrase was said
graph      what is searched, as graphs of states
model      the wheel's 16 kHz acoustic model, made to fit a telephone line
wire       what crosses the pipes
"""
