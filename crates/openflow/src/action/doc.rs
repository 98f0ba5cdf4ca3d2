//! What the actions and instructions are: the table that help and shell completion print.

use Kind::*;

/// Action or instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An action.
    Action,
    /// An instruction (OpenFlow 1.1 and later), which also stands among the actions of a flow.
    Instruction,
}

/// An entry of the table.
#[derive(Clone, Copy, Debug)]
pub struct Doc {
    /// The word that it begins with.
    pub name: &'static str,
    /// How it is written.
    pub syntax: &'static str,
    /// Action or instruction.
    pub kind: Kind,
    /// What it does.
    pub what: &'static str,
    /// Which versions have it.
    pub versions: &'static str,
}

const ALL: &str = "all";
const EXT: &str = "all, as an extension of Open vSwitch";
const V11: &str = "1.1 and later; in 1.0 as an extension of Open vSwitch";
const V13_EXT: &str = "1.3 and later, as an extension of Open vSwitch";

const fn doc(
    name: &'static str,
    syntax: &'static str,
    kind: Kind,
    versions: &'static str,
    what: &'static str,
) -> Doc {
    Doc { name, syntax, kind, what, versions }
}

/// Every one, in the order in which the manual pages treat them.
pub const DOCS: &[Doc] = &[
    doc(
        "output",
        "output:PORT, output:SRC[START..END], output(port=PORT,max_len=BYTES), PORT",
        Action,
        ALL,
        "Sends the packet to a port, to the port whose number is in a field, or a packet cut to some bytes to a port.",
    ),
    doc(
        "controller",
        "controller[:MAX_LEN], controller(KEY[=VALUE],...)",
        Action,
        ALL,
        "Sends the packet to controllers. Keys: max_len, reason, id, userdata, pause, meter_id.",
    ),
    doc(
        "enqueue",
        "enqueue(PORT,QUEUE)",
        Action,
        "1.0; later versions get set_queue, output and pop_queue",
        "Sends the packet to a queue of a port.",
    ),
    doc(
        "bundle",
        "bundle(FIELDS,BASIS,ALGORITHM,ofport,members:PORT...)",
        Action,
        EXT,
        "Sends the packet to one of several live ports. Algorithms: active_backup, hrw.",
    ),
    doc(
        "bundle_load",
        "bundle_load(FIELDS,BASIS,ALGORITHM,ofport,DST[START..END],members:PORT...)",
        Action,
        EXT,
        "Chooses as bundle does, and writes the port's number into a field.",
    ),
    doc("group", "group:GROUP", Action, V11, "Runs the packet through a group."),
    doc("strip_vlan", "strip_vlan", Action, ALL, "Removes the outermost VLAN tag, if there is one."),
    doc("pop_vlan", "pop_vlan", Action, ALL, "Removes the outermost VLAN tag."),
    doc(
        "push_vlan",
        "push_vlan:ETHERTYPE",
        Action,
        "1.1 and later",
        "Pushes a VLAN tag of type 0x8100 or 0x88a8.",
    ),
    doc("mod_vlan_vid", "mod_vlan_vid:VID", Action, ALL, "Sets the VLAN id; pushes a tag if there is none."),
    doc("set_vlan_vid", "set_vlan_vid:VID", Action, ALL, "Sets the VLAN id of a packet that has a tag."),
    doc(
        "mod_vlan_pcp",
        "mod_vlan_pcp:PCP",
        Action,
        ALL,
        "Sets the VLAN priority; pushes a tag if there is none.",
    ),
    doc(
        "set_vlan_pcp",
        "set_vlan_pcp:PCP",
        Action,
        ALL,
        "Sets the VLAN priority of a packet that has a tag.",
    ),
    doc(
        "push_mpls",
        "push_mpls:ETHERTYPE",
        Action,
        V11,
        "Pushes a label stack entry of type 0x8847 or 0x8848.",
    ),
    doc(
        "pop_mpls",
        "pop_mpls:ETHERTYPE",
        Action,
        V11,
        "Pops the outermost label; the packet becomes one of the given type.",
    ),
    doc(
        "push_pbb",
        "push_pbb:0x88e7",
        Action,
        "1.3 and later",
        "Puts backbone addresses and a service instance tag around the frame; the addresses start as a copy.",
    ),
    doc(
        "pop_pbb",
        "pop_pbb",
        Action,
        "1.3 and later",
        "Removes backbone addresses and service instance tag.",
    ),
    doc(
        "encap",
        "encap(nsh[(md_type=1|2,tlv(CLASS,TYPE,VALUE)...)]), encap(ethernet), encap(mpls), encap(mpls_mc)",
        Action,
        V13_EXT,
        "Puts a header in front of the packet.",
    ),
    doc(
        "decap",
        "decap(), decap(packet_type(ns=NAMESPACE,type=TYPE))",
        Action,
        V13_EXT,
        "Removes the packet's first header.",
    ),
    doc("mod_dl_src", "mod_dl_src:MAC", Action, ALL, "Sets the Ethernet source."),
    doc("mod_dl_dst", "mod_dl_dst:MAC", Action, ALL, "Sets the Ethernet destination."),
    doc("mod_nw_src", "mod_nw_src:IP", Action, ALL, "Sets the IPv4 source."),
    doc("mod_nw_dst", "mod_nw_dst:IP", Action, ALL, "Sets the IPv4 destination."),
    doc("mod_nw_tos", "mod_nw_tos:TOS", Action, ALL, "Sets the DSCP bits of an IP packet: a multiple of 4."),
    doc("mod_nw_ecn", "mod_nw_ecn:ECN", Action, V11, "Sets the ECN bits of an IP packet."),
    doc("mod_nw_ttl", "mod_nw_ttl:TTL", Action, V11, "Sets the TTL or hop limit."),
    doc("mod_tp_src", "mod_tp_src:PORT", Action, ALL, "Sets the source port of TCP, UDP or SCTP."),
    doc("mod_tp_dst", "mod_tp_dst:PORT", Action, ALL, "Sets the destination port of TCP, UDP or SCTP."),
    doc("set_mpls_label", "set_mpls_label(LABEL)", Action, V11, "Sets the outermost label."),
    doc("set_mpls_tc", "set_mpls_tc(CLASS)", Action, V11, "Sets the traffic class of the outermost label."),
    doc("set_mpls_ttl", "set_mpls_ttl(TTL)", Action, V11, "Sets the TTL of the outermost label."),
    doc(
        "set_field",
        "set_field:VALUE[/MASK]->FIELD",
        Action,
        "1.2 and later, masks 1.5; earlier as an extension",
        "Sets a field, or some bits of it. `oxvs help field` lists the fields.",
    ),
    doc("load", "load:VALUE->DST[START..END]", Action, EXT, "Sets some bits of a field."),
    doc(
        "move",
        "move:SRC[START..END]->DST[START..END]",
        Action,
        "1.5; earlier as an extension",
        "Copies bits from one field to another.",
    ),
    doc("push", "push:SRC[START..END]", Action, EXT, "Pushes bits of a field onto the stack."),
    doc("pop", "pop:DST[START..END]", Action, EXT, "Pops bits from the stack into a field."),
    doc("delete_field", "delete_field:FIELD", Action, EXT, "Takes a tunnel option away from the packet."),
    doc(
        "dec_ttl",
        "dec_ttl, dec_ttl(ID,...)",
        Action,
        V11,
        "Decrements the TTL or hop limit; a packet whose time is up goes to the controllers of the given ids.",
    ),
    doc("dec_mpls_ttl", "dec_mpls_ttl", Action, V11, "Decrements the TTL of the outermost label."),
    doc("dec_nsh_ttl", "dec_nsh_ttl", Action, V13_EXT, "Decrements the TTL of the network service header."),
    doc(
        "copy_ttl_in",
        "copy_ttl_in",
        Action,
        "1.1 and later",
        "Copies the TTL of the outermost label to what is below it.",
    ),
    doc(
        "copy_ttl_out",
        "copy_ttl_out",
        Action,
        "1.1 and later",
        "Copies the TTL of what is below the outermost label to it.",
    ),
    doc(
        "check_pkt_larger",
        "check_pkt_larger(LENGTH)->DST[BIT]",
        Action,
        EXT,
        "Sets a bit to whether the packet is longer than so many bytes.",
    ),
    doc("set_tunnel", "set_tunnel:ID", Action, EXT, "Sets the tunnel id, 32 bits."),
    doc("set_tunnel64", "set_tunnel64:ID", Action, EXT, "Sets the tunnel id, 64 bits."),
    doc("set_queue", "set_queue:QUEUE", Action, V11, "Chooses the queue for following outputs."),
    doc("pop_queue", "pop_queue", Action, EXT, "Goes back to the queue that the packet came with."),
    doc(
        "ct",
        "ct([commit],[force],[table=TABLE],[zone=ZONE],[nat[(...)]],[exec(ACTION...)],[alg=ALG])",
        Action,
        EXT,
        "Sends the packet through the connection tracker.",
    ),
    doc("ct_clear", "ct_clear", Action, EXT, "Forgets the packet's connection tracking state."),
    doc(
        "nat",
        "nat[((src|dst)=ADDR[-ADDR][:PORT[-PORT]],[persistent],[hash|random])]",
        Action,
        EXT,
        "Inside ct: translates addresses and ports.",
    ),
    doc(
        "learn",
        "learn(ARGUMENT,...)",
        Action,
        EXT,
        "Adds or changes a flow made from the packet. Arguments: table, priority, idle_timeout, hard_timeout, \
         fin_idle_timeout, fin_hard_timeout, cookie, send_flow_rem, delete_learned, limit, result_dst, FIELD=VALUE, \
         FIELD[..]=SRC[..], FIELD[..], load:VALUE->DST[..], load:SRC[..]->DST[..], output:FIELD[..].",
    ),
    doc(
        "fin_timeout",
        "fin_timeout(idle_timeout=SECONDS,hard_timeout=SECONDS)",
        Action,
        EXT,
        "Shortens the flow's timeouts when a TCP packet with FIN or RST passes.",
    ),
    doc(
        "resubmit",
        "resubmit:PORT, resubmit([PORT],[TABLE][,ct])",
        Action,
        EXT,
        "Looks the packet up again, in a table.",
    ),
    doc("clone", "clone(ACTION...)", Action, EXT, "Runs actions over a copy of the packet."),
    doc("exit", "exit", Action, EXT, "Ends the pipeline."),
    doc(
        "multipath",
        "multipath(FIELDS,BASIS,ALGORITHM,N_LINKS,ARG,DST[START..END])",
        Action,
        EXT,
        "Writes a number made from a hash of the packet. Algorithms: modulo_n, hash_threshold, hrw, iter_hash.",
    ),
    doc(
        "conjunction",
        "conjunction(ID,K/N)",
        Action,
        EXT,
        "The flow is clause K of N of a conjunctive match.",
    ),
    doc("note", "note:HH.HH...", Action, EXT, "Does nothing; carries bytes for whoever reads the flow."),
    doc(
        "sample",
        "sample(ARGUMENT,...)",
        Action,
        EXT,
        "Samples packets to IPFIX collectors. Arguments: probability, collector_set_id, obs_domain_id, obs_point_id, \
         sampling_port, ingress, egress.",
    ),
    doc("debug_recirc", "debug_recirc", Action, "none: for tests", "Recirculates the packet."),
    doc("debug_slow", "debug_slow", Action, "none: for tests", "Sends the packet through the slow path."),
    doc(
        "meter",
        "meter:METER",
        Instruction,
        "1.3 and later; in 1.5 an action",
        "Runs the packet through a meter, which may drop it.",
    ),
    doc("clear_actions", "clear_actions", Instruction, "1.1 and later", "Empties the action set."),
    doc(
        "write_actions",
        "write_actions(ACTION...)",
        Instruction,
        "1.1 and later",
        "Adds actions to the action set.",
    ),
    doc(
        "write_metadata",
        "write_metadata:VALUE[/MASK]",
        Instruction,
        V11,
        "Sets bits of the metadata field.",
    ),
    doc("goto_table", "goto_table:TABLE", Instruction, V11, "Goes on in a later table."),
    doc("drop", "drop", Action, ALL, "Says that there are no actions: the packet is dropped."),
];

/// The entry of a name.
pub fn find(name: &str) -> Option<&'static Doc> {
    DOCS.iter().find(|d| d.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_word_that_the_parser_knows_is_here() {
        let source = include_str!("text.rs");
        let start = source.find("fn by_keyword").expect("the function of keywords");
        let mut words: BTreeSet<&str> = source[start..]
            .lines()
            .filter_map(|l| l.trim().strip_prefix('"')?.split_once("\" => ").map(|(w, _)| w))
            .collect();
        words.insert("drop");
        words.remove("unroll_xlate");
        let documented: BTreeSet<&str> = DOCS.iter().map(|d| d.name).collect();
        assert_eq!(words, documented);
        assert_eq!(documented.len(), DOCS.len());
        assert!(DOCS.iter().all(|d| !d.what.is_empty() && d.syntax.contains(d.name)));
    }
}
