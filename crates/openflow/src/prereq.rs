//! Which fields are metadata of the pipeline.

use flow::Field;

/// Whether a field is metadata of the pipeline, which a packet-out may set.
pub fn is_pipeline(field: Field) -> bool {
    field.as_tun_metadata().is_some()
        || field.is_register()
        || matches!(
            field,
            Field::TUN_ID
                | Field::TUN_SRC
                | Field::TUN_DST
                | Field::TUN_IPV6_SRC
                | Field::TUN_IPV6_DST
                | Field::TUN_FLAGS
                | Field::TUN_GBP_ID
                | Field::TUN_GBP_FLAGS
                | Field::TUN_ERSPAN_IDX
                | Field::TUN_ERSPAN_VER
                | Field::TUN_ERSPAN_DIR
                | Field::TUN_ERSPAN_HWID
                | Field::TUN_GTPU_FLAGS
                | Field::TUN_GTPU_MSGTYPE
                | Field::METADATA
                | Field::IN_PORT
                | Field::IN_PORT_OXM
                | Field::ACTSET_OUTPUT
                | Field::PACKET_TYPE
        )
}
