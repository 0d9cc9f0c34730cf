//! A plan in a file: what was reviewed, so that nothing else is applied.
//!
//! It holds the digests that decide, and the plan itself for whoever reads the file; no value of a secret, since no plan
//! has one. `apply --plan FILE` compiles again and compares.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Base, Plan};
use crate::bundle::{Commit, Digest, Integrity};

/// The version of this format.
const FORMAT: u64 = 0;
/// A file may have this many bytes (256 MiB).
pub const MAX_SAVED: usize = 256 << 20;

/// A saved plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// The version of this format: 0.
    pub tieline_plan: u64,
    /// The version of tieline that made it.
    pub tool: String,
    /// The workspace's id.
    pub workspace: String,
    /// The environment, as it is typed.
    pub environment: String,
    /// The profile, if any.
    pub profile: Option<String>,
    /// The name under which its connections are exposed, if any.
    pub expose: Option<String>,
    /// Where it is to be applied.
    pub target: String,
    /// What is deployed there; `None` where nothing is.
    pub base: Option<SavedBase>,
    /// The desired digest.
    pub desired: Digest,
    /// The commit it was made of. Told, never compared: a plan of a pull request's head applies on its merge.
    pub commit: Option<Commit>,
    /// When it was made: RFC 3339. Told, never compared.
    pub time: String,
    /// The plan, as `plan --format json` prints it.
    pub plan: Value,
}

/// The deployed state that a saved plan starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedBase {
    /// The manifest's lineage.
    pub lineage: String,
    /// Its serial.
    pub serial: u64,
    /// Its digest.
    pub digest: Digest,
}

impl SavedBase {
    /// The base of a plan, if it is a deployed one.
    pub fn of(plan: &Plan) -> Option<Self> {
        match plan.base.as_ref()? {
            Base::Deployed { lineage, serial, digest, .. } => {
                Some(Self { lineage: lineage.clone(), serial: *serial, digest: digest.clone() })
            }
            Base::Revision { .. } => None,
        }
    }
}

impl Saved {
    /// The version of the format to write.
    pub fn format() -> u64 {
        FORMAT
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// None that these types can raise; `serde_json` has the last word.
    pub fn bytes(&self) -> Result<Vec<u8>, Integrity> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|_| Integrity("not writable as JSON".to_owned()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a file of at most [`MAX_SAVED`] bytes.
    ///
    /// # Errors
    /// It is no saved plan, or one of a newer version.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Format {
            tieline_plan: u64,
        }
        let Format { tieline_plan } = serde_json::from_slice(bytes).map_err(|_| "it is not a saved plan")?;
        if tieline_plan > FORMAT {
            return Err(format!(
                "its format is {tieline_plan}, newer than this tieline knows ({FORMAT}): update tieline"
            ));
        }
        // The error of serde_json may quote a value; where it is tells enough.
        serde_json::from_slice(bytes).map_err(|e| format!("it is damaged, line {}, column {}", e.line(), e.column()))
    }

    /// What differs from the same plan made now, a line each; empty if it may be applied.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut compare = |what: &str, then: &str, now: &str| {
            if then != now {
                lines.push(format!("{what}: {then} in the plan, {now} now"));
            }
        };
        let option = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        let base = |base: &Option<SavedBase>| match base {
            None => "nothing deployed".to_owned(),
            Some(base) => {
                format!("serial {} ({}) of lineage {}", base.serial, base.digest.as_str(), base.lineage)
            }
        };
        compare("version of tieline", &self.tool, &now.tool);
        compare("workspace", &self.workspace, &now.workspace);
        compare("environment", &self.environment, &now.environment);
        compare("profile", &option(&self.profile), &option(&now.profile));
        compare("exposed as", &option(&self.expose), &option(&now.expose));
        compare("target", &self.target, &now.target);
        compare("in force", &base(&self.base), &base(&now.base));
        compare("what is desired", self.desired.as_str(), now.desired.as_str());
        // What is held against other targets and environments is not the same on each machine.
        for (key, what) in [("trust_changes", "trust change"), ("moved_from", "moved target"), ("refused", "refusal")] {
            let list = |plan: &Value| -> Vec<Value> {
                plan.get(key).and_then(Value::as_array).into_iter().flatten().map(placeless).collect()
            };
            let then = list(&self.plan);
            let new = list(&now.plan).iter().filter(|one| !then.contains(one)).count();
            if new > 0 {
                lines.push(format!("{new} {what}{} now that the plan did not show", if new == 1 { "" } else { "s" }));
            }
        }
        lines
    }
}

/// What a plan says of something, without where it is written: a line may have moved since.
fn placeless(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let said = map.iter().filter(|(key, _)| !matches!(key.as_str(), "file" | "line" | "old_file" | "old_line"));
            said.map(|(key, value)| (key.clone(), placeless(value))).collect()
        }
        Value::Array(items) => items.iter().map(placeless).collect(),
        other => other.clone(),
    }
}
