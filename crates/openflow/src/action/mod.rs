//! Actions and instructions.
//!
//! An action list is a `Vec<Action>` (or a boxed slice, where it is kept). The instructions stand in the list too,
//! in the order in which they are executed; apply-actions is not represented: its actions stand by themselves.
//!
//! Each action has a file with its struct, its wire forms, its text and its checks. An [`Action`] is at most 32
//! bytes: rare or large ones are boxed.

pub mod bundle;
pub mod check;
pub mod check_pkt_larger;
pub mod clone;
pub mod conjunction;
pub mod controller;
pub mod ct;
pub mod delete_field;
pub mod doc;
pub mod encap;
pub mod enqueue;
pub mod fin_timeout;
pub mod group;
pub mod instruction;
pub mod learn;
pub mod mpls;
pub mod multipath;
pub mod note;
pub mod options;
pub mod output;
pub mod pbb;
pub mod queue;
pub mod reg_move;
pub mod resubmit;
pub mod sample;
pub mod set;
pub mod set_field;
pub mod stack;
pub mod text;
pub mod ttl;
pub mod tunnel;
pub mod vlan;
pub mod wire;

pub use bundle::{Bundle, BundleAlgorithm};
pub use check_pkt_larger::CheckPktLarger;
pub use clone::CloneActions;
pub use conjunction::Conjunction;
pub use controller::Controller;
pub use ct::{Ct, CtZone, Nat, NatRange};
pub use delete_field::DeleteField;
pub use encap::{Decap, Encap, EncapProperty};
pub use enqueue::Enqueue;
pub use fin_timeout::FinTimeout;
pub use group::Group;
pub use instruction::{GotoTable, Meter, WriteActions, WriteMetadata};
pub use learn::{Learn, LearnDst, LearnSpec, LearnSrc};
pub use mpls::{PopMpls, PushMpls, SetMplsLabel, SetMplsTc, SetMplsTtl};
pub use multipath::{HashFields, Multipath, MultipathAlgorithm};
pub use note::Note;
pub use options::tun_options;
pub use output::{Output, OutputReg, OutputTrunc};
pub use pbb::PushPbb;
pub use queue::SetQueue;
pub use reg_move::Move;
pub use resubmit::Resubmit;
pub use sample::{Sample, SampleDirection, SampleId};
pub use set::{SetEth, SetIpByte, SetIpv4, SetL4Port};
pub use set_field::SetField;
pub use stack::Stack;
pub use ttl::DecTtl;
pub use tunnel::SetTunnel;
pub use vlan::{PushVlan, SetVlanPcp, SetVlanVid, StripVlan};

macro_rules! held_by_set {
    (set) => {
        true
    };
    (list) => {
        false
    };
}

/// Declares the actions: each with its name, as messages say it, and whether an action set can hold it (`set`) or only
/// a list (`list`).
macro_rules! actions {
    ($($(#[$doc:meta])* $id:ident $(($body:ty))? = $name:literal $holder:ident;)*) => {
        /// One action or instruction.
        #[derive(Clone, PartialEq, Eq, Debug)]
        #[allow(missing_docs, reason = "each variant is documented at its struct")]
        pub enum Action { $($(#[$doc])* $id $(($body))?,)* }

        impl Action {
            /// Name of its kind, as messages say it.
            pub fn name(&self) -> &'static str {
                match self { $(Action::$id { .. } => $name,)* }
            }

            /// Whether an action set can hold it.
            pub fn fits_set(&self) -> bool {
                match self { $(Action::$id { .. } => held_by_set!($holder),)* }
            }
        }
    };
}

actions! {
    Output(Output) = "output" set;
    OutputReg(OutputReg) = "output_reg" list;
    OutputTrunc(OutputTrunc) = "output_trunc" list;
    Controller(Box<Controller>) = "controller" list;
    Enqueue(Enqueue) = "enqueue" list;
    Bundle(Box<Bundle>) = "bundle" list;
    Group(Group) = "group" set;

    StripVlan(StripVlan) = "strip_vlan" set;
    PushVlan(PushVlan) = "push_vlan" set;
    SetVlanVid(SetVlanVid) = "set_vlan_vid" set;
    SetVlanPcp(SetVlanPcp) = "set_vlan_pcp" set;
    PushMpls(PushMpls) = "push_mpls" set;
    PopMpls(PopMpls) = "pop_mpls" set;
    PushPbb(PushPbb) = "push_pbb" set;
    /// `pop_pbb`: remove the outermost backbone header.
    PopPbb = "pop_pbb" set;
    Encap(Box<Encap>) = "encap" set;
    Decap(Decap) = "decap" set;

    /// `mod_dl_src`
    SetEthSrc(SetEth) = "mod_dl_src" set;
    /// `mod_dl_dst`
    SetEthDst(SetEth) = "mod_dl_dst" set;
    /// `mod_nw_src`
    SetIpv4Src(SetIpv4) = "mod_nw_src" set;
    /// `mod_nw_dst`
    SetIpv4Dst(SetIpv4) = "mod_nw_dst" set;
    /// `mod_nw_tos`
    SetIpDscp(SetIpByte) = "mod_nw_tos" set;
    /// `mod_nw_ecn`
    SetIpEcn(SetIpByte) = "mod_nw_ecn" set;
    /// `mod_nw_ttl`
    SetIpTtl(SetIpByte) = "mod_nw_ttl" set;
    /// `mod_tp_src`
    SetL4SrcPort(SetL4Port) = "mod_tp_src" set;
    /// `mod_tp_dst`
    SetL4DstPort(SetL4Port) = "mod_tp_dst" set;
    SetMplsLabel(SetMplsLabel) = "set_mpls_label" set;
    SetMplsTc(SetMplsTc) = "set_mpls_tc" set;
    SetMplsTtl(SetMplsTtl) = "set_mpls_ttl" set;
    SetField(SetField) = "set_field" set;
    Move(Move) = "move" set;
    DecTtl(DecTtl) = "dec_ttl" set;
    /// `dec_mpls_ttl`
    DecMplsTtl = "dec_mpls_ttl" set;
    /// `dec_nsh_ttl`
    DecNshTtl = "dec_nsh_ttl" set;
    /// `copy_ttl_in`
    CopyTtlIn = "copy_ttl_in" set;
    /// `copy_ttl_out`
    CopyTtlOut = "copy_ttl_out" set;
    CheckPktLarger(CheckPktLarger) = "check_pkt_larger" list;
    DeleteField(DeleteField) = "delete_field" list;

    SetTunnel(SetTunnel) = "set_tunnel" set;
    SetQueue(SetQueue) = "set_queue" set;
    /// `pop_queue`
    PopQueue = "pop_queue" list;
    Ct(Box<Ct>) = "ct" set;
    /// `ct_clear`
    CtClear = "ct_clear" set;
    Nat(Box<Nat>) = "nat" list;
    Learn(Box<Learn>) = "learn" list;
    FinTimeout(FinTimeout) = "fin_timeout" list;

    Resubmit(Resubmit) = "resubmit" set;
    Clone(CloneActions) = "clone" list;
    /// `push`
    Push(Stack) = "push" list;
    /// `pop`
    Pop(Stack) = "pop" list;
    /// `exit`
    Exit = "exit" list;
    Multipath(Box<Multipath>) = "multipath" list;
    Conjunction(Conjunction) = "conjunction" list;
    Note(Note) = "note" list;
    Sample(Box<Sample>) = "sample" list;
    /// `debug_recirc`
    DebugRecirc = "debug_recirc" list;
    /// `debug_slow`
    DebugSlow = "debug_slow" list;

    Meter(Meter) = "meter" list;
    /// `clear_actions`
    ClearActions = "clear_actions" list;
    WriteActions(WriteActions) = "write_actions" list;
    WriteMetadata(WriteMetadata) = "write_metadata" list;
    GotoTable(GotoTable) = "goto_table" list;
}

const _: () = assert!(size_of::<Action>() <= 32);
