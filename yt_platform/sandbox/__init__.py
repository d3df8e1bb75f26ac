"""A local server that speaks the used parts of YouTube's Data and Reporting APIs, over a generated or a replayed world.

Belongs here: everything a collector can notice of the API, with its own clock, quota and faults. Not here: anything
the platform needs to run; core, io and defs never import this package.

    with serve(Sandbox(GeneratedWorld(seed=1), starts_at)) as url:
        build("youtube", "v3", developerKey=KEY, client_options={"api_endpoint": url})
"""

from yt_platform.sandbox.faults import Fault
from yt_platform.sandbox.generated import GeneratedWorld
from yt_platform.sandbox.paging import Paging
from yt_platform.sandbox.replayed import ReplayedWorld
from yt_platform.sandbox.sandbox import KEY, Sandbox
from yt_platform.sandbox.server import serve

__all__ = ["KEY", "Fault", "GeneratedWorld", "Paging", "ReplayedWorld", "Sandbox", "serve"]
