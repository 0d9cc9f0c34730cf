//! A bundle as one file. The input is the tar: gzip's checksum would stop every change to it.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tieline::bundle::archive::Parts;
use tieline::bundle::check::check;

use super::manifest;

pub(crate) fn run(data: &[u8]) {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(data).expect("memory takes it");
    let archive = gzip.finish().expect("memory takes it");
    let Ok(parts) = Parts::read(&*archive) else { return };
    let written = parts.archive().expect("memory takes it");
    assert_eq!(Parts::read(&*written).ok().as_ref(), Some(&parts), "parts are lost");
    assert_eq!(parts.archive().ok(), Some(written), "other bytes the second time");
    let Ok(deployed) = parts.deployed() else { return };
    let scope = deployed.manifest.scope();
    for (instance, sealed) in &deployed.manifest.connections {
        if let Some(bytes) = parts.objects.get(instance) {
            // An object that is not what the manifest says has a reason.
            assert!(check(&scope, sealed, bytes, None).err().is_none_or(|problems| !problems.is_empty()));
        }
    }
    manifest::hold(deployed.manifest, &parts.manifest);
}
