//! What `--help` prints.

use super::PROGRAM;
use crate::dirs::Dirs;
use crate::{connect, daemon, vlog};

const METHODS: &str = "\
ovs-testcontroller: OpenFlow controller
usage: ovs-testcontroller [OPTIONS] METHOD
where METHOD is any OpenFlow connection method.

";

const VERSIONS: &str = "
OpenFlow version options:
  -V, --version           display version information
  -O, --protocols         set allowed OpenFlow versions
                          (default: OpenFlow10, OpenFlow11, OpenFlow12, OpenFlow13, OpenFlow14, OpenFlow15)
";

const OTHERS: &str = "
Other options:
  -H, --hub               act as hub instead of learning switch
  -n, --noflow            pass traffic, but don't add flows
  --max-idle=SECS         max idle time for new flows
  -N, --normal            use OFPP_NORMAL action
  -w, --wildcards[=MASK]  wildcard (specified) bits in flows
  -q, --queue=QUEUE-ID    OpenFlow queue ID to use for output
  -Q PORT-NAME:QUEUE-ID   use QUEUE-ID for frames from PORT-NAME
  --with-flows FILE       use the flows from FILE
  --unixctl=SOCKET        override default control socket name
  -h, --help              display this help message
  -V, --version           display version information
";

/// All of it.
pub fn text(dirs: &Dirs) -> String {
    [
        METHODS,
        &connect::active_openflow(),
        &connect::passive_openflow(),
        connect::KEYS,
        &daemon::help(PROGRAM, dirs),
        VERSIONS,
        &vlog::help(PROGRAM, dirs),
        OTHERS,
    ]
    .concat()
}
