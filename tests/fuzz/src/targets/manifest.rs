//! A manifest, or a head, that anybody may have put into a target.

use tieline::bundle::{Deployed, Digest, Head, Manifest};
use tieline::model::record::Desired;
use tieline::plan::Plan;

use super::super::plans;

pub(crate) fn run(data: &[u8]) {
    if let Ok(head) = Head::parse(data) {
        let bytes = head.bytes().expect("a head can be written");
        assert_eq!(Head::parse(&bytes).ok(), Some(head));
    }
    let Ok(manifest) = Manifest::parse(data) else { return };
    assert_eq!(manifest.bytes().ok().as_deref(), Some(data), "a second spelling");
    hold(manifest, data);
}

/// Plans with what a manifest says: to nothing, and to the same.
pub(crate) fn hold(manifest: Manifest, bytes: &[u8]) {
    let deployed = Deployed { digest: Digest::of(bytes), manifest };
    assert_eq!(Head::parse(&deployed.head().bytes().expect("a head")).ok(), Some(deployed.head()));
    let manifest = &deployed.manifest;
    let Ok(digest) = manifest.desired_digest() else { return };
    let records = manifest.connections.iter().map(|(id, sealed)| (id.clone(), sealed.record.clone()));
    let same = Desired {
        workspace: manifest.workspace.parse().expect("it was one for the digest"),
        environment: manifest.environment.as_str().into(),
        profile: manifest.profile.as_deref().map(Into::into),
        records: records.collect(),
        trust: manifest.trust.clone(),
    };
    assert_eq!(same.digest(), digest);
    let places = |_: &str, _: &str| None;
    let again = Plan::new(&same, Some(&deployed), &places);
    assert!(again.changes.is_empty(), "{:?}", again.changes);
    plans::forms(&again);
    let nothing = Desired { records: Default::default(), trust: serde_json::json!({}), ..same.clone() };
    plans::forms(&Plan::new(&nothing, Some(&deployed), &places));
    plans::changes(&Plan::between(&nothing, &same, &places));
}
