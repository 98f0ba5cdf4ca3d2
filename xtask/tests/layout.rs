//! The layout rules that the compiler does not check: arrows between crates only point down, every crate is in
//! ARCHITECTURE.md, `unsafe` stays in `sys`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The crates, each allowed to use those above it.
const ORDER: &[&str] = &[
    "base",
    "wire",
    "flow",
    "dpif",
    "openflow",
    "classifier",
    "ovsdb",
    "l2",
    "ofproto",
    "pipeline",
    "datapath",
    "sys",
    "netdev",
    "reactor",
    "bridge",
    "cli",
    "vswitchd",
    "ovsdb-server",
    "oxvs",
    "testkit",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_path_buf()
}

fn crates() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Names in a manifest's `[section]`.
fn section(manifest: &str, section: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines() {
        if let Some(title) = line.strip_prefix('[') {
            inside = title.trim_end_matches(']') == section;
        } else if inside && let Some(end) = line.find(['.', ' ', '=']) {
            names.insert(line[..end].to_string());
        }
    }
    names
}

#[test]
fn arrows_point_down() {
    let place = |name: &str| ORDER.iter().position(|n| *n == name);
    for name in crates() {
        let here = place(&name).unwrap_or_else(|| panic!("crate {name} has no place in the order"));
        let manifest = fs::read_to_string(root().join("crates").join(&name).join("Cargo.toml")).unwrap();
        for dependency in section(&manifest, "dependencies") {
            if let Some(there) = place(&dependency) {
                assert!(there < here, "{name} uses {dependency}, which is below it");
            }
        }
    }
}

#[test]
fn architecture_names_every_crate() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for name in crates() {
        assert!(page.contains(&format!("| `{name}`")), "ARCHITECTURE.md has no line for crate {name}");
    }
}

#[test]
fn unsafe_only_in_sys() {
    for name in crates().into_iter().filter(|n| n != "sys") {
        let manifest = fs::read_to_string(root().join("crates").join(&name).join("Cargo.toml")).unwrap();
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "crate {name} does not take the workspace's lints, which forbid unsafe code"
        );
    }
}
