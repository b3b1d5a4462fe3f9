"""The tools that an agent file declares: what they need of the environment, and how they are asked.

    reply of the model -> calls -> arguments looked at -> tool_called -> HTTP -> tool_returned -> the model again

What a tool may be asked is decided in ``voxbus.common.tools``.
"""

from voxbus.llm.tools.environment import Environment
from voxbus.llm.tools.rounds import ToolRounds
from voxbus.llm.tools.toolbox import Toolbox

__all__ = ["Environment", "ToolRounds", "Toolbox"]
