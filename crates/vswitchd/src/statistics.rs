//! `Open_vSwitch.statistics`: what the machine and the daemons on it use, if `other_config:enable-statistics` asks.

use std::path::Path;
use sys::host;

/// The column's pairs. What cannot be found out is left out.
pub fn collect(rundir: &Path) -> Vec<(String, String)> {
    let mut all = vec![("cpu".to_string(), sys::cpu_count().to_string())];
    if let Some(load) = host::load_average() {
        all.push(("load_average".into(), load.join(",")));
    }
    if let Some(m) = host::memory() {
        let text = format!("{},{},{},{},{}", m.total, m.used, m.cache, m.swap_total, m.swap_used);
        all.push(("memory".into(), text));
    }
    for (name, pid) in host::daemons(rundir) {
        let Some(p) = host::process(pid) else { continue };
        let running = p.running.as_millis();
        let text = format!(
            "{},{},{},0,{running},{running},{}",
            p.virtual_size,
            p.resident,
            p.cpu.as_millis(),
            p.processor
        );
        all.push((format!("process_{name}"), text));
    }
    let file_systems: Vec<String> = host::file_systems()
        .into_iter()
        .map(|f| format!("{},{},{}", f.mount_point.replace([' ', ','], "_"), f.total, f.used))
        .collect();
    if !file_systems.is_empty() {
        all.push(("file_systems".into(), file_systems.join(" ")));
    }
    all
}
