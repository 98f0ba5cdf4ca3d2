//! The record of a translation: a tree of what happened, and its text.
//!
//! A pipeline whose tables each end by handing on to the next is a list to whoever reads it, though it is a chain of
//! nested calls: so a table (or bridge) that is the last thing in its list goes to the left margin of that list, and
//! only one that something follows is indented.
//!
//! ```text
//! bridge("br0")
//! -------------
//!  0. in_port=1, priority 32768
//!     resubmit(,1)
//!      1. priority 32768
//!             output:3            <- table 1 is indented: output:2 follows it
//!     output:2
//! ```

use std::fmt::Write;

/// What a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeKind {
    /// A bridge that the packet enters.
    Bridge,
    /// A table lookup, the action set.
    Table,
    /// A bucket of a group.
    Bucket,
    /// A recirculated packet goes on.
    Thaw,
    /// An action.
    Action,
    /// Something worth knowing about the action before.
    Detail,
    /// The same, of a packet that does not go where the action says.
    Warning,
    /// Something that went wrong.
    Error,
}

#[derive(Clone, Debug)]
struct Node {
    kind: NodeKind,
    text: String,
    subs: Vec<usize>,
}

/// The record.
#[derive(Clone, Debug)]
pub struct Recorder {
    nodes: Vec<Node>,
    /// The lists being added to, innermost last.
    path: Vec<usize>,
}

impl Default for Recorder {
    fn default() -> Self {
        Recorder::new()
    }
}

/// Nodes kept at most: a trace is for people.
const MAX_NODES: usize = 1 << 20;

impl Recorder {
    /// An empty record.
    pub fn new() -> Recorder {
        let root = Node { kind: NodeKind::Bridge, text: String::new(), subs: Vec::new() };
        Recorder { nodes: vec![root], path: vec![0] }
    }

    /// Adds a node to the current list.
    pub fn add(&mut self, kind: NodeKind, text: String) {
        self.push(kind, text);
    }

    /// Adds a node; what follows is added below it, until [`Recorder::close`].
    pub fn open(&mut self, kind: NodeKind, text: String) {
        let n = self.push(kind, text);
        self.path.push(n);
    }

    /// Goes back to the list of the node opened last.
    pub fn close(&mut self) {
        if self.path.len() > 1 {
            self.path.pop();
        }
    }

    fn push(&mut self, kind: NodeKind, text: String) -> usize {
        let list = self.path.last().copied().unwrap_or(0);
        if self.nodes.len() >= MAX_NODES {
            return list;
        }
        let n = self.nodes.len();
        self.nodes.push(Node { kind, text, subs: Vec::new() });
        self.nodes[list].subs.push(n);
        n
    }

    /// The text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.print(&mut out, 0, 1);
        out
    }

    fn print(&self, out: &mut String, list: usize, level: usize) {
        let subs = &self.nodes[list].subs;
        for (i, n) in subs.iter().enumerate() {
            let node = &self.nodes[*n];
            let more = i + 1 < subs.len() || matches!(node.kind, NodeKind::Bucket | NodeKind::Thaw);
            let outer = (level - 1 + more as usize) * 4;
            let (indent, lead) = match node.kind {
                NodeKind::Bridge | NodeKind::Table | NodeKind::Bucket | NodeKind::Thaw => (outer, ""),
                NodeKind::Action => (level * 4, ""),
                NodeKind::Detail => (level * 4, " -> "),
                NodeKind::Warning => (level * 4, " >> "),
                NodeKind::Error => (level * 4, " >>>> "),
            };
            let tail = if node.kind == NodeKind::Error { " <<<<" } else { "" };
            if node.kind == NodeKind::Bridge {
                out.push('\n');
            }
            let _ = writeln!(out, "{:indent$}{lead}{}{tail}", "", node.text);
            if node.kind == NodeKind::Bridge {
                let _ = writeln!(out, "{:indent$}{}", "", "-".repeat(node.text.len()));
            }
            self.print(out, *n, level + 2 * more as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NodeKind::*;
    use super::*;

    #[test]
    fn only_tables_that_something_follows_are_indented() {
        let mut r = Recorder::new();
        r.open(Bridge, "bridge(\"br0\")".into());
        r.open(Table, " 0. in_port=1, priority 32768".into());
        r.add(Action, "resubmit(,1)".into());
        r.open(Table, " 1. priority 32768".into());
        r.add(Action, "output:10".into());
        r.open(Bridge, "bridge(\"br1\")".into());
        r.open(Table, " 0. No match.".into());
        r.add(Action, "drop".into());
        r.close();
        r.close();
        r.close();
        r.add(Action, "resubmit(,2)".into());
        r.open(Table, " 2. priority 5".into());
        r.add(Action, "output:1".into());
        r.add(Warning, "skipping output to input port".into());
        assert_eq!(
            r.text(),
            "\nbridge(\"br0\")\n-------------\n \
             0. in_port=1, priority 32768\n    resubmit(,1)\n     1. priority 32768\n            output:10\n\n\
             \x20       bridge(\"br1\")\n        -------------\n         0. No match.\n            drop\n\
             \x20   resubmit(,2)\n 2. priority 5\n    output:1\n     >> skipping output to input port\n"
        );
    }
}
