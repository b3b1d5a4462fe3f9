"""What the HTTP tools of an agent may do: the checks of their declarations, and the requests that are made of them.

Pure: nobody is asked here. Who asks is the LLM worker (``voxbus.llm.tools``).
"""

#: What every agent has without declaring it, see ``voxbus.llm.core_effects``.
BUILT_IN = frozenset({"end_call", "transfer_call", "do_not_call"})
