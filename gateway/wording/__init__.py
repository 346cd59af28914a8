"""The words that people read anywhere but on the pages: one table, by who reads them, so that each part can be read in
one sitting and translated. (The pages have theirs in `web/static/*/words.js`.)

    terminal      in a room and in reply to commands        http           refusals that only HTTP has
    refusals      the same on every door                    command_line   errors and results of `gateway …`
    operators     what operators are told                   log            the log, and what keeps us from storing

Rules of these files. A constant is one whole thing that is said, named by what it says and grouped by who reads it; a
table holds things that are said by a key of the protocol. What varies stands in braces and is filled in by `str.format`
where it is said (log lines use `%`, as `logging` does, so that a line below the level costs nothing). A word does not
end in a full stop unless another sentence follows. Codes, names of commands and what the contract pins (`-- 212 lines
skipped: …`) are protocol: scripts read them, a translation keeps them. What every message costs is not here: an
author's line is bytes without words (`core.protocol.wire`).

Texts that are documentation stand in tables beside what they document: the one-line summaries of /help
(`core.doors.commands`), the endpoints of /docs (`web.endpoints`), metrics (`web.monitoring`), settings
(`config.settings`).
"""

from gateway.wording.command_line import *  # noqa: F403
from gateway.wording.http import *  # noqa: F403
from gateway.wording.log import *  # noqa: F403
from gateway.wording.operators import *  # noqa: F403
from gateway.wording.refusals import *  # noqa: F403
from gateway.wording.terminal import *  # noqa: F403
