//! Plans in every form.

use std::io::Read;

use flate2::read::GzDecoder;
use tieline::bundle::archive::Parts;
use tieline::bundle::check::{Opened, check};
use tieline::bundle::object::{Reveal, seal};
use tieline::bundle::{Deployed, Digest, Manifest, Scope, Sealed};
use tieline::model::record::{Desired, Record};
use tieline::plan::saved::{Saved, SavedBase};
use tieline::plan::{Change, Plan};
use tieline::reporters::plan_human::{Against, changes_human, plan_human};
use tieline::reporters::plan_json::{plan_gitlab, plan_json, value};
use tieline::reporters::plan_markdown::plan_markdown;
use tieline::secret::Secret;

use super::oracles::{CANARY, LOOK, calm};

/// A comment may have this many characters.
const MAX_COMMENT: usize = 60_000;

/// A plan can be shown in every form.
pub(crate) fn forms(plan: &Plan) {
    calm(&plan_human(plan, Against::Target("dist"), LOOK));
    let comment = plan_markdown(std::slice::from_ref(plan), &[]);
    calm(&comment);
    assert!(comment.chars().count() <= MAX_COMMENT);
    for json in [plan_json(plan), plan_gitlab(std::slice::from_ref(plan))] {
        calm(&json);
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
    }
    changes(&plan.changes);
}

/// Changes can be shown.
pub(crate) fn changes(changes: &[Change]) {
    calm(&changes_human(changes, LOOK));
}

/// A secret that is always there.
struct Canary;

impl Reveal for Canary {
    fn reveal(&self, _: &str, _: &str) -> Result<Secret<String>, String> {
        Ok(Secret::new(CANARY.to_owned()))
    }
}

/// What is sealed of a record is what is looked for later; whatever compiles can be sealed.
pub(crate) fn seals(desired: &Desired) {
    let scope = Scope::of(desired);
    for (id, record) in desired.records.iter().take(3) {
        let nobody = record["recipients"].as_object().is_none_or(|recipients| recipients.is_empty())
            && record["recipients"].as_array().is_none_or(|recipients| recipients.is_empty());
        match seal(&scope, id, record, "2026-11-21T10:00:00Z", &Canary) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                assert!(
                    serde_json::Value::from(record).to_string().contains(CANARY) || !text.contains(CANARY),
                    "the secret is in clear: {text}"
                );
                let sealed = Sealed { record: record.clone(), object: Digest::of(&bytes) };
                assert_eq!(check(&scope, &sealed, &bytes, None), Ok(Opened::No), "{text}");
            }
            Err(failures) => assert!(nobody, "it compiles and can't be sealed: {failures:?}"),
        }
    }
}

/// What is desired, deployed, with objects of nothing.
pub(crate) fn deployed(desired: &Desired) -> Deployed {
    let sealed = |record: &Record| Sealed { record: record.clone(), object: Digest::of(b"") };
    let manifest = Manifest {
        format: 0,
        workspace: desired.workspace.to_string(),
        environment: desired.environment.to_string(),
        profile: desired.profile.as_ref().map(ToString::to_string),
        lineage: "00000000-0000-4000-8000-000000000000".into(),
        serial: 1,
        previous: None,
        desired: desired.digest(),
        rollback_of: None,
        customer: None,
        commit: None,
        time: "2026-11-21T10:00:00Z".into(),
        tool: "0.1.0".into(),
        trust: desired.trust.clone(),
        connections: desired.records.iter().map(|(id, record)| (id.clone(), sealed(record))).collect(),
    };
    let bytes = manifest.bytes().expect("a manifest can be written");
    let read = Manifest::parse(&bytes).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&bytes)));
    assert_eq!(read, manifest);
    assert_eq!(read.desired_digest().expect("a workspace"), manifest.desired);
    Deployed { digest: Digest::of(&bytes), manifest }
}

/// A bundle of one manifest and its objects, not packed.
#[allow(dead_code, reason = "for first inputs")]
pub(crate) fn tar(manifest: &[u8], desired: &Desired) -> Vec<u8> {
    let objects = desired.records.keys().map(|id| (id.clone(), b"".to_vec())).collect();
    let parts = Parts { manifest: manifest.to_vec(), signature: Some(b"signature\n".to_vec()), objects };
    let mut tar = Vec::new();
    let packed = parts.archive().expect("memory takes it");
    GzDecoder::new(&*packed).read_to_end(&mut tar).expect("what is packed can be unpacked");
    tar
}

/// A saved plan of all that is desired.
#[allow(dead_code, reason = "for first inputs")]
pub(crate) fn saved(desired: &Desired) -> Vec<u8> {
    let places = |_: &str, _: &str| None;
    let deployed = deployed(desired);
    let plan = Plan::new(desired, Some(&deployed), &places);
    let saved = Saved {
        tieline_plan: Saved::format(),
        tool: "0.1.0".into(),
        workspace: desired.workspace.to_string(),
        environment: desired.environment.to_string(),
        profile: None,
        expose: None,
        target: "dist".into(),
        base: SavedBase::of(&plan),
        desired: desired.digest(),
        commit: None,
        time: "2026-11-21T10:00:00Z".into(),
        plan: value(&plan),
    };
    saved.bytes().expect("a plan can be written")
}
