//! The errors of OpenFlow and of the Nicira and ONF extensions.
//!
//! Declared once: an error's name and, for each range of versions that has it, its number space, type and code.
//! Encoding picks the code of the connection's version; decoding goes the other way.

use crate::version::Version;
use std::fmt;

/// An error. Displays as its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OfpErr(u8);

/// Where an error's number comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErrorCode {
    /// Experimenter, or 0 for the standard's own.
    pub vendor: u32,
    /// Type.
    pub kind: u16,
    /// Code within the type.
    pub code: u16,
}

struct Form {
    since: u8,
    until: u8,
    code: ErrorCode,
}

struct Entry {
    name: &'static str,
    forms: &'static [Form],
}

const OF: u32 = 0;
/// Nicira.
const NX: u32 = 0x2320;
/// The Open Networking Foundation.
const ONF: u32 = 0x4f4e_4600;

macro_rules! errors {
    ($($name:ident: $(($since:literal..=$until:literal: $vendor:ident $kind:literal $code:literal)),+;)+) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u8)]
        enum Id { $($name,)+ }

        #[allow(missing_docs, reason = "the names are the standard's")]
        impl OfpErr {
            $(pub const $name: OfpErr = OfpErr(Id::$name as u8);)+
        }

        static TABLE: &[Entry] = &[$(Entry {
            name: stringify!($name),
            forms: &[$(Form {
                since: $since - 9,
                until: $until - 9,
                code: ErrorCode { vendor: $vendor, kind: $kind, code: $code },
            }),+],
        },)+];
    };
}

impl OfpErr {
    /// Its name.
    pub fn name(self) -> &'static str {
        TABLE[usize::from(self.0)].name
    }

    /// The error of that name; letter case does not matter.
    pub fn from_name(name: &str) -> Option<OfpErr> {
        OfpErr::all().find(|e| e.name().eq_ignore_ascii_case(name))
    }

    /// Every error.
    pub fn all() -> impl Iterator<Item = OfpErr> {
        (0..TABLE.len()).map(|i| OfpErr(i as u8))
    }

    /// Its code in a version, if that has it.
    pub fn code(self, version: Version) -> Option<ErrorCode> {
        let v = version.wire();
        TABLE[usize::from(self.0)].forms.iter().find(|f| (f.since..=f.until).contains(&v)).map(|f| f.code)
    }

    /// The error with that code in a version.
    pub fn from_code(version: Version, code: ErrorCode) -> Option<OfpErr> {
        OfpErr::all().find(|e| e.code(version) == Some(code))
    }
}

impl fmt::Display for OfpErr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for OfpErr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

errors! {
    NXBAC_BAD_CONJUNCTION: (10..=11: NX 2 526), (12..=15: NX 15 0);
    NXBAC_BAD_ED_PROP: (13..=15: NX 41 0);
    NXBAC_BAD_HEADER_TYPE: (13..=15: NX 39 0);
    NXBAC_CT_DATAPATH_SUPPORT: (10..=11: NX 1 265), (12..=15: NX 42 0);
    NXBAC_MUST_BE_ZERO: (10..=11: NX 2 256), (12..=15: NX 11 0);
    NXBAC_UNKNOWN_ED_PROP: (13..=15: NX 40 0);
    NXBMC_CT_DATAPATH_SUPPORT: (10..=11: NX 1 264), (12..=15: NX 43 0);
    NXBRC_BAD_REASON: (10..=11: NX 1 516), (12..=15: NX 5 0);
    NXBRC_FM_BAD_EVENT: (10..=11: NX 1 520), (12..=15: NX 9 0);
    NXBRC_MUST_BE_ZERO: (10..=11: NX 1 515), (12..=15: NX 4 0);
    NXBRC_NXM_BAD_TYPE: (10..=11: NX 1 257), (12..=15: NX 3 0);
    NXBRC_NXM_INVALID: (10..=11: NX 1 256), (12..=15: NX 2 0);
    NXBRC_UNENCODABLE_ERROR: (10..=11: NX 1 521), (12..=15: NX 10 0);
    NXFMFC_BAD_TABLE_ID: (10..=11: NX 5 257), (12..=15: NX 13 0);
    NXFMFC_HARDWARE: (10..=11: NX 5 256), (12..=15: NX 12 0);
    NXFMFC_INVALID_TLV_FIELD: (10..=11: NX 1 536), (12..=15: NX 37 0);
    NXQOFC_QUEUE_ERROR: (14..=15: NX 23 0);
    NXR_NOT_SUPPORTED: (10..=11: NX 1 533), (12..=15: NX 34 0);
    NXR_STALE: (10..=11: NX 1 534), (12..=15: NX 35 0);
    NXST_NOT_CONFIGURED: (10..=11: NX 1 535), (12..=15: NX 36 0);
    NXTFFC_DUP_TABLE: (13..=15: NX 44 0);
    NXTTMFC_ALREADY_MAPPED: (10..=11: NX 1 531), (12..=15: NX 20 0);
    NXTTMFC_BAD_COMMAND: (10..=11: NX 1 527), (12..=15: NX 16 0);
    NXTTMFC_BAD_FIELD_IDX: (10..=11: NX 1 529), (12..=15: NX 18 0);
    NXTTMFC_BAD_OPT_LEN: (10..=11: NX 1 528), (12..=15: NX 17 0);
    NXTTMFC_DUP_ENTRY: (10..=11: NX 1 532), (12..=15: NX 21 0);
    NXTTMFC_INVALID_TLV_DEL: (10..=11: NX 1 537), (12..=15: NX 38 0);
    NXTTMFC_TABLE_FULL: (10..=11: NX 1 530), (12..=15: NX 19 0);
    OFPACFC_EPERM: (13..=13: ONF 2372 0), (14..=15: OF 15 2);
    OFPACFC_INVALID: (13..=13: ONF 2370 0), (14..=15: OF 15 0);
    OFPACFC_UNSUPPORTED: (13..=13: ONF 2371 0), (14..=15: OF 15 1);
    OFPBAC_BAD_ARGUMENT: (10..=15: OF 2 5);
    OFPBAC_BAD_LEN: (10..=15: OF 2 1);
    OFPBAC_BAD_METER: (15..=15: OF 2 17);
    OFPBAC_BAD_OUT_GROUP: (10..=10: NX 2 9), (11..=15: OF 2 9);
    OFPBAC_BAD_OUT_PORT: (10..=15: OF 2 4);
    OFPBAC_BAD_QUEUE: (10..=15: OF 2 8);
    OFPBAC_BAD_SET_ARGUMENT: (10..=11: NX 1 525), (12..=15: OF 2 15);
    OFPBAC_BAD_SET_LEN: (10..=11: NX 1 524), (12..=15: OF 2 14);
    OFPBAC_BAD_SET_MASK: (13..=14: ONF 4250 0), (15..=15: OF 2 16);
    OFPBAC_BAD_SET_TYPE: (10..=11: NX 1 523), (12..=15: OF 2 13);
    OFPBAC_BAD_TAG: (11..=15: OF 2 12);
    OFPBAC_BAD_TYPE: (10..=15: OF 2 0);
    OFPBAC_BAD_VENDOR: (10..=15: OF 2 2);
    OFPBAC_BAD_VENDOR_TYPE: (10..=15: OF 2 3);
    OFPBAC_EPERM: (10..=15: OF 2 6);
    OFPBAC_MATCH_INCONSISTENT: (10..=10: NX 1 522), (11..=15: OF 2 10);
    OFPBAC_TOO_MANY: (10..=15: OF 2 7);
    OFPBAC_UNSUPPORTED_ORDER: (11..=15: OF 2 11);
    OFPBFC_BAD_FLAGS: (13..=13: ONF 2307 0), (14..=15: OF 17 7);
    OFPBFC_BAD_ID: (13..=13: ONF 2302 0), (14..=15: OF 17 2);
    OFPBFC_BAD_TYPE: (13..=13: ONF 2306 0), (14..=15: OF 17 6);
    OFPBFC_BAD_VERSION: (14..=15: NX 22 0);
    OFPBFC_BUNDLE_CLOSED: (13..=13: ONF 2304 0), (14..=15: OF 17 4);
    OFPBFC_BUNDLE_EXIST: (13..=13: ONF 2303 0), (14..=15: OF 17 3);
    OFPBFC_BUNDLE_IN_PROGRESS: (13..=13: ONF 2315 0), (14..=15: OF 17 15);
    OFPBFC_EPERM: (13..=13: ONF 2301 0), (14..=15: OF 17 1);
    OFPBFC_MSG_BAD_LEN: (13..=13: ONF 2308 0), (14..=15: OF 17 8);
    OFPBFC_MSG_BAD_XID: (13..=13: ONF 2309 0), (14..=15: OF 17 9);
    OFPBFC_MSG_CONFLICT: (13..=13: ONF 2311 0), (14..=15: OF 17 11);
    OFPBFC_MSG_FAILED: (13..=13: ONF 2313 0), (14..=15: OF 17 13);
    OFPBFC_MSG_TOO_MANY: (13..=13: ONF 2312 0), (14..=15: OF 17 12);
    OFPBFC_MSG_UNSUP: (13..=13: ONF 2310 0), (14..=15: OF 17 10);
    OFPBFC_OUT_OF_BUNDLES: (13..=13: ONF 2305 0), (14..=15: OF 17 5);
    OFPBFC_SCHED_FUTURE: (15..=15: OF 17 17);
    OFPBFC_SCHED_NOT_SUPPORTED: (15..=15: OF 17 16);
    OFPBFC_SCHED_PAST: (15..=15: OF 17 18);
    OFPBFC_TIMEOUT: (13..=13: ONF 2314 0), (14..=15: OF 17 14);
    OFPBFC_UNKNOWN: (13..=13: ONF 2300 0), (14..=15: OF 17 0);
    OFPBIC_BAD_EXPERIMENTER: (11..=15: OF 3 5);
    OFPBIC_BAD_EXP_TYPE: (11..=11: OF 3 5), (12..=15: OF 3 6);
    OFPBIC_BAD_LEN: (12..=15: OF 3 7);
    OFPBIC_BAD_TABLE_ID: (11..=15: OF 3 2);
    OFPBIC_DUP_INST: (11..=11: NX 3 256), (12..=13: ONF 2600 0), (14..=15: OF 3 9);
    OFPBIC_EPERM: (12..=15: OF 3 8);
    OFPBIC_UNKNOWN_INST: (11..=15: OF 3 0);
    OFPBIC_UNSUP_INST: (10..=10: NX 2 257), (11..=15: OF 3 1);
    OFPBIC_UNSUP_METADATA: (11..=15: OF 3 3);
    OFPBIC_UNSUP_METADATA_MASK: (11..=15: OF 3 4);
    OFPBMC_BAD_DL_ADDR_MASK: (11..=15: OF 4 3);
    OFPBMC_BAD_FIELD: (10..=10: NX 0 263), (11..=15: OF 4 6);
    OFPBMC_BAD_LEN: (11..=15: OF 4 1);
    OFPBMC_BAD_MASK: (10..=11: NX 1 259), (12..=15: OF 4 8);
    OFPBMC_BAD_NW_ADDR_MASK: (11..=15: OF 4 4);
    OFPBMC_BAD_PREREQ: (10..=11: NX 1 260), (12..=15: OF 4 9);
    OFPBMC_BAD_TAG: (11..=15: OF 4 2);
    OFPBMC_BAD_TYPE: (11..=15: OF 4 0);
    OFPBMC_BAD_VALUE: (10..=10: NX 1 258), (11..=15: OF 4 7);
    OFPBMC_BAD_WILDCARDS: (10..=10: NX 1 262), (11..=15: OF 4 5);
    OFPBMC_DUP_FIELD: (10..=11: NX 1 261), (12..=15: OF 4 10);
    OFPBMC_EPERM: (12..=15: OF 4 11);
    OFPBPC_BAD_EXPERIMENTER: (10..=11: NX 14 5), (12..=12: NX 30 0), (13..=13: ONF 4445 0), (14..=15: OF 14 5);
    OFPBPC_BAD_EXP_TYPE: (10..=11: NX 14 6), (12..=12: NX 31 0), (13..=13: ONF 4446 0), (14..=15: OF 14 6);
    OFPBPC_BAD_EXP_VALUE: (10..=11: NX 14 7), (12..=12: NX 32 0), (13..=13: ONF 4447 0), (14..=15: OF 14 7);
    OFPBPC_BAD_LEN: (10..=11: NX 13 3), (12..=12: NX 26 0), (13..=13: OF 13 3), (14..=15: OF 14 1);
    OFPBPC_BAD_TYPE: (10..=11: NX 13 2), (12..=12: NX 25 0), (13..=13: OF 13 2), (14..=15: OF 14 0);
    OFPBPC_BAD_VALUE: (10..=11: NX 13 4), (12..=12: NX 27 0), (13..=13: OF 13 4), (14..=15: OF 14 2);
    OFPBPC_DUP_TYPE: (10..=11: NX 14 4), (12..=12: NX 29 0), (13..=13: ONF 4444 0), (14..=15: OF 14 4);
    OFPBPC_EPERM: (10..=11: NX 14 8), (12..=12: NX 33 0), (13..=13: ONF 4448 0), (14..=15: OF 14 8);
    OFPBPC_TOO_MANY: (10..=11: NX 14 3), (12..=12: NX 28 0), (13..=13: ONF 4443 0), (14..=15: OF 14 3);
    OFPBRC_BAD_LEN: (10..=15: OF 1 6);
    OFPBRC_BAD_PACKET: (12..=15: OF 1 12);
    OFPBRC_BAD_PORT: (10..=11: NX 1 514), (12..=15: OF 1 11);
    OFPBRC_BAD_STAT: (10..=15: OF 1 2);
    OFPBRC_BAD_SUBTYPE: (10..=15: OF 1 4);
    OFPBRC_BAD_TABLE_ID: (10..=10: NX 1 512), (11..=15: OF 1 9);
    OFPBRC_BAD_TYPE: (10..=15: OF 1 1);
    OFPBRC_BAD_VENDOR: (10..=15: OF 1 3);
    OFPBRC_BAD_VERSION: (10..=15: OF 1 0);
    OFPBRC_BUFFER_EMPTY: (10..=15: OF 1 7);
    OFPBRC_BUFFER_UNKNOWN: (10..=15: OF 1 8);
    OFPBRC_EPERM: (10..=15: OF 1 5);
    OFPBRC_IS_SECONDARY: (10..=11: OF 1 5), (12..=15: OF 1 10);
    OFPBRC_MULTIPART_BAD_SCHED: (15..=15: OF 1 16);
    OFPBRC_MULTIPART_BUFFER_OVERFLOW: (13..=15: OF 1 13);
    OFPBRC_MULTIPART_REPLY_TIMEOUT: (13..=13: ONF 2641 0), (14..=15: OF 1 15);
    OFPBRC_MULTIPART_REQUEST_TIMEOUT: (13..=13: ONF 2640 0), (14..=15: OF 1 14);
    OFPBRC_PIPELINE_FIELDS_ONLY: (15..=15: OF 1 17);
    OFPBRC_UNKNOWN: (15..=15: OF 1 18);
    OFPFMFC_BAD_COMMAND: (10..=10: OF 3 4), (11..=15: OF 5 6);
    OFPFMFC_BAD_EMERG_TIMEOUT: (10..=10: OF 3 3);
    OFPFMFC_BAD_FLAGS: (10..=10: NX 3 258), (11..=11: NX 5 258), (12..=15: OF 5 7);
    OFPFMFC_BAD_PRIORITY: (13..=13: ONF 2360 0), (14..=15: OF 5 9);
    OFPFMFC_BAD_TABLE_ID: (11..=15: OF 5 2);
    OFPFMFC_BAD_TIMEOUT: (11..=15: OF 5 5);
    OFPFMFC_CANT_SYNC: (14..=15: OF 5 8);
    OFPFMFC_EPERM: (10..=10: OF 3 2), (11..=15: OF 5 4);
    OFPFMFC_IS_SYNC: (14..=15: OF 5 10);
    OFPFMFC_OVERLAP: (10..=10: OF 3 1), (11..=15: OF 5 3);
    OFPFMFC_TABLE_FULL: (10..=10: OF 3 0), (11..=15: OF 5 1);
    OFPFMFC_UNKNOWN: (11..=15: OF 5 0);
    OFPFMFC_UNSUPPORTED: (10..=10: OF 3 5);
    OFPGMFC_BAD_BUCKET: (10..=10: NX 6 12), (12..=15: OF 6 12);
    OFPGMFC_BAD_COMMAND: (10..=10: NX 6 11), (12..=15: OF 6 11);
    OFPGMFC_BAD_TYPE: (10..=10: NX 6 10), (12..=15: OF 6 10);
    OFPGMFC_BAD_WATCH: (10..=10: NX 6 13), (12..=15: OF 6 13);
    OFPGMFC_BUCKET_EXISTS: (10..=10: NX 6 16), (15..=15: OF 6 16);
    OFPGMFC_CHAINED_GROUP: (10..=10: NX 6 9), (12..=15: OF 6 9);
    OFPGMFC_CHAINING_UNSUPPORTED: (10..=10: NX 6 5), (11..=15: OF 6 5);
    OFPGMFC_EPERM: (10..=10: NX 6 14), (12..=15: OF 6 14);
    OFPGMFC_GROUP_EXISTS: (10..=10: NX 6 0), (11..=15: OF 6 0);
    OFPGMFC_INVALID_GROUP: (10..=10: NX 6 1), (11..=15: OF 6 1);
    OFPGMFC_LOOP: (10..=10: NX 6 7), (11..=15: OF 6 7);
    OFPGMFC_OUT_OF_BUCKETS: (10..=10: NX 6 4), (11..=15: OF 6 4);
    OFPGMFC_OUT_OF_GROUPS: (10..=10: NX 6 3), (11..=15: OF 6 3);
    OFPGMFC_UNKNOWN_BUCKET: (10..=10: NX 6 15), (15..=15: OF 6 15);
    OFPGMFC_UNKNOWN_GROUP: (10..=10: NX 6 8), (11..=15: OF 6 8);
    OFPGMFC_WATCH_UNSUPPORTED: (10..=10: NX 6 6), (11..=15: OF 6 6);
    OFPGMFC_WEIGHT_UNSUPPORTED: (10..=10: NX 6 2), (11..=15: OF 6 2);
    OFPHFC_EPERM: (10..=15: OF 0 1);
    OFPHFC_INCOMPATIBLE: (10..=15: OF 0 0);
    OFPMMFC_BAD_BAND: (13..=15: OF 12 8);
    OFPMMFC_BAD_BAND_VALUE: (13..=15: OF 12 9);
    OFPMMFC_BAD_BURST: (13..=15: OF 12 7);
    OFPMMFC_BAD_COMMAND: (13..=15: OF 12 4);
    OFPMMFC_BAD_FLAGS: (13..=15: OF 12 5);
    OFPMMFC_BAD_RATE: (13..=15: OF 12 6);
    OFPMMFC_INVALID_METER: (13..=15: OF 12 2);
    OFPMMFC_METER_EXISTS: (13..=15: OF 12 1);
    OFPMMFC_OUT_OF_BANDS: (13..=15: OF 12 11);
    OFPMMFC_OUT_OF_METERS: (13..=15: OF 12 10);
    OFPMMFC_UNKNOWN: (13..=15: OF 12 0);
    OFPMMFC_UNKNOWN_METER: (13..=15: OF 12 3);
    OFPMOFC_BAD_COMMAND: (14..=15: OF 16 4);
    OFPMOFC_BAD_FLAGS: (10..=11: NX 1 518), (12..=13: NX 7 0), (14..=15: OF 16 5);
    OFPMOFC_BAD_OUT: (14..=15: OF 16 7);
    OFPMOFC_BAD_TABLE_ID: (14..=15: OF 16 6);
    OFPMOFC_INVALID_MONITOR: (14..=15: OF 16 2);
    OFPMOFC_MONITOR_EXISTS: (10..=11: NX 1 517), (12..=13: NX 6 0), (14..=15: OF 16 1);
    OFPMOFC_UNKNOWN: (14..=15: OF 16 0);
    OFPMOFC_UNKNOWN_MONITOR: (10..=11: NX 1 519), (12..=13: NX 8 0), (14..=15: OF 16 3);
    OFPPMFC_BAD_ADVERTISE: (11..=15: OF 7 3);
    OFPPMFC_BAD_CONFIG: (11..=15: OF 7 2);
    OFPPMFC_BAD_HW_ADDR: (10..=10: OF 4 1), (11..=15: OF 7 1);
    OFPPMFC_BAD_PORT: (10..=10: OF 4 0), (11..=15: OF 7 0);
    OFPPMFC_EPERM: (12..=15: OF 7 4);
    OFPQOFC_BAD_PORT: (10..=10: OF 5 0), (11..=15: OF 9 0);
    OFPQOFC_BAD_QUEUE: (10..=10: OF 5 1), (11..=15: OF 9 1);
    OFPQOFC_EPERM: (10..=10: OF 5 2), (11..=15: OF 9 2);
    OFPRRFC_BAD_ROLE: (10..=11: NX 1 513), (12..=15: OF 11 2);
    OFPRRFC_ID_IN_USE: (15..=15: OF 11 4);
    OFPRRFC_ID_UNSUP: (15..=15: OF 11 3);
    OFPRRFC_STALE: (12..=15: OF 11 0);
    OFPRRFC_UNSUP: (12..=15: OF 11 1);
    OFPSCFC_BAD_FLAGS: (11..=15: OF 10 0);
    OFPSCFC_BAD_LEN: (11..=15: OF 10 1);
    OFPSCFC_EPERM: (12..=15: OF 10 2);
    OFPTFFC_BAD_CAPA: (15..=15: OF 13 6);
    OFPTFFC_BAD_COMMAND: (15..=15: OF 13 9);
    OFPTFFC_BAD_FEATURES: (15..=15: OF 13 8);
    OFPTFFC_BAD_MAX_ENT: (15..=15: OF 13 7);
    OFPTFFC_BAD_METADATA: (13..=15: OF 13 1);
    OFPTFFC_BAD_TABLE: (13..=15: OF 13 0);
    OFPTFFC_EPERM: (13..=15: OF 13 5);
    OFPTFFC_TOO_MANY: (15..=15: OF 13 10);
    OFPTMFC_BAD_CONFIG: (11..=15: OF 8 1);
    OFPTMFC_BAD_TABLE: (11..=15: OF 8 0);
    OFPTMFC_EPERM: (12..=15: OF 8 2);
}
