//! What `--help` prints.

use super::PROGRAM;
use crate::dirs::Dirs;
use crate::{daemon, vlog};

const METHODS: &str = "\
ovs-testcontroller: OpenFlow controller
usage: ovs-testcontroller [OPTIONS] METHOD
where METHOD is any OpenFlow connection method.

Active OpenFlow connection methods:
  tcp:HOST[:PORT]         PORT (default: 6653) at remote HOST
  ssl:HOST[:PORT]         SSL/TLS PORT (default: 6653) at remote HOST
  unix:FILE               Unix domain socket named FILE
Passive OpenFlow connection methods:
  ptcp:[PORT][:IP]        listen to TCP PORT (default: 6653) on IP
  pssl:[PORT][:IP]        listen for SSL/TLS on PORT (default: 6653) on IP
  punix:FILE              listen on Unix domain socket FILE
PKI configuration (required to use SSL/TLS):
  -p, --private-key=FILE  file with private key
  -c, --certificate=FILE  file with certificate for private key
  -C, --ca-cert=FILE      file with peer CA certificate
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
    [METHODS, &daemon::help(PROGRAM, dirs), VERSIONS, &vlog::help(PROGRAM, dirs), OTHERS].concat()
}
