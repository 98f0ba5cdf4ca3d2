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

/// One action or instruction.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "each variant is documented at its struct")]
pub enum Action {
    Output(Output),
    OutputReg(OutputReg),
    OutputTrunc(OutputTrunc),
    Controller(Box<Controller>),
    Enqueue(Enqueue),
    Bundle(Box<Bundle>),
    Group(Group),

    StripVlan(StripVlan),
    PushVlan(PushVlan),
    SetVlanVid(SetVlanVid),
    SetVlanPcp(SetVlanPcp),
    PushMpls(PushMpls),
    PopMpls(PopMpls),
    PushPbb(PushPbb),
    /// `pop_pbb`: remove the outermost backbone header.
    PopPbb,
    Encap(Box<Encap>),
    Decap(Decap),

    /// `mod_dl_src`
    SetEthSrc(SetEth),
    /// `mod_dl_dst`
    SetEthDst(SetEth),
    /// `mod_nw_src`
    SetIpv4Src(SetIpv4),
    /// `mod_nw_dst`
    SetIpv4Dst(SetIpv4),
    /// `mod_nw_tos`
    SetIpDscp(SetIpByte),
    /// `mod_nw_ecn`
    SetIpEcn(SetIpByte),
    /// `mod_nw_ttl`
    SetIpTtl(SetIpByte),
    /// `mod_tp_src`
    SetL4SrcPort(SetL4Port),
    /// `mod_tp_dst`
    SetL4DstPort(SetL4Port),
    SetMplsLabel(SetMplsLabel),
    SetMplsTc(SetMplsTc),
    SetMplsTtl(SetMplsTtl),
    SetField(SetField),
    Move(Move),
    DecTtl(DecTtl),
    /// `dec_mpls_ttl`
    DecMplsTtl,
    /// `dec_nsh_ttl`
    DecNshTtl,
    /// `copy_ttl_in`
    CopyTtlIn,
    /// `copy_ttl_out`
    CopyTtlOut,
    CheckPktLarger(CheckPktLarger),
    DeleteField(DeleteField),

    SetTunnel(SetTunnel),
    SetQueue(SetQueue),
    /// `pop_queue`
    PopQueue,
    Ct(Box<Ct>),
    /// `ct_clear`
    CtClear,
    Nat(Box<Nat>),
    Learn(Box<Learn>),
    FinTimeout(FinTimeout),

    Resubmit(Resubmit),
    Clone(CloneActions),
    /// `push`
    Push(Stack),
    /// `pop`
    Pop(Stack),
    /// `exit`
    Exit,
    Multipath(Box<Multipath>),
    Conjunction(Conjunction),
    Note(Note),
    Sample(Box<Sample>),
    /// `debug_recirc`
    DebugRecirc,
    /// `debug_slow`
    DebugSlow,

    Meter(Meter),
    /// `clear_actions`
    ClearActions,
    WriteActions(WriteActions),
    WriteMetadata(WriteMetadata),
    GotoTable(GotoTable),
}

const _: () = assert!(size_of::<Action>() <= 32);
