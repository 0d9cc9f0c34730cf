//! Bundles that are handed out: their files, with which key they are signed, whose signatures are believed.

use std::io::Read;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::acceptance::is_in_repository;
use super::deploy::{Place, failed};
use super::{Exit, Failure};
use crate::apply::{Options, vouched};
use crate::bundle::Deployed;
use crate::bundle::archive::Parts;
use crate::bundle::export::for_customer;
use crate::bundle::signature::{AllowedSigners, Sign};
use crate::diagnostic::word;
use crate::providers::signer;
use crate::reporters::human::plural;
use crate::reporters::text::visible;
use crate::ui::Ui;
use crate::verify::{self, Report};
use crate::world::{ReadError, World, disk};

/// A file of allowed signers may have this many bytes.
const MAX_ALLOWED: u64 = 4 << 20;

/// Whose signatures are made and believed.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Signing {
    /// Sign the bundle with this SSH key; of a public one, the agent has the private half
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    /// Whose signatures count, in the format that Git uses; without it, those of the `--sign` key
    #[arg(long, value_name = "FILE", requires = "sign")]
    allowed_signers: Option<PathBuf>,
    /// Build on what is in force though nobody whose signature counts signed it: as after the first of them, or a key's end
    #[arg(long, requires = "sign")]
    trust_base: bool,
}

/// [`Signing`], found.
pub(super) struct Signers {
    pub(super) signer: Option<Box<dyn Sign>>,
    pub(super) allowed: Option<AllowedSigners>,
    pub(super) trust_base: bool,
}

impl Signing {
    /// The options as they were given.
    pub(super) fn given(&self) -> Vec<(&str, Option<String>)> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        vec![("--sign", path(&self.sign)), ("--allowed-signers", path(&self.allowed_signers))]
    }

    /// Reads key and file.
    pub(super) fn find(&self, place: &Place, ui: &Ui) -> Result<Signers, Failure> {
        let find = |path: &PathBuf| signer::find(path, &place.session.world, ui).map_err(Failure::new);
        Ok(Signers {
            signer: self.sign.as_ref().map(find).transpose()?,
            allowed: self.allowed_signers.as_deref().map(|path| place.allowed_signers(path)).transpose()?,
            trust_base: self.trust_base,
        })
    }
}

/// Says that what is to be put in force would be unsigned in the place of what is signed.
pub(super) fn warn_unsigned(place: &Place, base: &Deployed, ui: &Ui) -> Result<(), Failure> {
    if place.target.read_signature(&base.digest).map_err(|error| failed(&error))?.is_some() {
        let serial = base.manifest.serial;
        ui.say(&format!("warning: serial {serial} is signed, and the next one would not be: `--sign KEY`"));
    }
    Ok(())
}

impl Place {
    /// The file of allowed signers that an operator named: none that the branch could change.
    pub(super) fn allowed_signers(&self, path: &Path) -> Result<AllowedSigners, Failure> {
        if is_in_repository(path, self.session.world.root()) {
            let told = format!(
                "the file of allowed signers `{}` lies in the repository, which could change it",
                path.display()
            );
            return Err(Failure::usage(told).help("name a file outside of the repository"));
        }
        allowed_signers(path)
    }
}

/// The file of allowed signers that an operator named.
pub(super) fn allowed_signers(path: &Path) -> Result<AllowedSigners, Failure> {
    let failed = |why: &str| Failure::usage(format!("the file of allowed signers `{}` {why}", path.display()));
    let file = disk::open(path).map_err(|error| match error {
        ReadError::Missing => failed("is not there"),
        _ => failed("can't be read"),
    })?;
    let mut bytes = Vec::new();
    file.take(MAX_ALLOWED + 1).read_to_end(&mut bytes).map_err(|_| failed("can't be read"))?;
    if bytes.len() as u64 > MAX_ALLOWED {
        return Err(failed("has more than 4 MiB"));
    }
    Ok(AllowedSigners::parse(&bytes))
}

/// Checks the signature of a manifest and says whose it is: made when the manifest says, as `ssh-keygen` and Git do it. Gives
/// whether the key counts now.
pub(super) fn signed(
    allowed: &AllowedSigners,
    signature: Option<&[u8]>,
    bytes: &[u8],
    deployed: &Deployed,
    now: Timestamp,
    ui: &Ui,
) -> Result<bool, Failure> {
    let broken = |why: &str| {
        Failure::new(format!("serial {}: {why}", deployed.manifest.serial)).exit(Exit::Integrity).help(format!(
            "`tieline apply {} --sign KEY` seals everything anew under a signature",
            word(&deployed.manifest.environment)
        ))
    };
    let signature = signature.ok_or_else(|| broken("the bundle is not signed"))?;
    let time = deployed.manifest.time.parse().map_err(|_| broken("the manifest's time is none"))?;
    let signer = allowed.verify(signature, bytes, time).map_err(|why| broken(&why))?;
    ui.data(&format!("signed by {} ({})\n", visible(&signer.principals), signer.fingerprint));
    let counts = allowed.verify(signature, bytes, now);
    if let Err(why) = &counts {
        // Whoever has the key could say any time.
        let time = visible(&deployed.manifest.time);
        ui.say(&format!("warning: {}; that it was made at {time} is the word of who has the key", visible(why)));
    }
    Ok(counts.is_ok())
}

/// Prints what a check found, and gives the last line: how many objects there are, and whether they are as they should be.
pub(super) fn verdict(report: &Report, ui: &Ui) -> String {
    for problem in &report.problems {
        let who = problem.instance.as_deref().unwrap_or("manifest");
        ui.data(&format!("{}: {}\n", visible(who), visible(&problem.message)));
    }
    let (objects, opened, problems) = (report.objects, report.opened, report.problems.len());
    let verdict = match problems {
        0 => "all as they should be".to_owned(),
        _ => format!("{problems} problem{}", plural(problems)),
    };
    format!("{objects} object{}, {opened} opened and their MACs checked: {verdict}\n", plural(objects))
}

/// The files of what is in force, found whole; cut down to one customer if that is asked for.
pub(super) fn parts(
    place: &Place,
    deployed: &Deployed,
    customer: Option<&str>,
    signing: &Signing,
    ui: &Ui,
) -> Result<Parts, Failure> {
    let own = signing.find(place, ui)?;
    if own.signer.is_some() {
        let options = Options {
            signer: own.signer.as_deref(),
            signers: own.allowed.as_ref(),
            trust_base: own.trust_base || place.is_vouched(deployed),
            ..Options::default()
        };
        vouched(&*place.target, deployed, place.session.world.now(), &options).map_err(|error| {
            Failure::new(format!("{error}: it is not signed anew")).exit(Exit::Integrity).help(
                "find out who applied it, then sign it where that was done, with `tieline apply`; or give `--trust-base`",
            )
        })?;
    }
    let (manifest, mut signature) = match customer {
        None => {
            let bytes = place.target.read_manifest(&deployed.digest).map_err(|error| failed(&error))?;
            (bytes, place.target.read_signature(&deployed.digest).map_err(|error| failed(&error))?)
        }
        Some(customer) => {
            let cut = for_customer(&deployed.manifest, customer).map_err(|error| Failure::usage(error.to_string()))?;
            (cut.bytes().map_err(|error| Failure::new(error.to_string()))?, None)
        }
    };
    if let Some(signer) = &own.signer {
        signature = Some(signer.sign(&manifest).map_err(Failure::new)?.into_bytes());
    }
    let mut parts = Parts { manifest, signature, ..Parts::default() };
    for (id, sealed) in &parts.deployed().map_err(|error| Failure::new(error.to_string()))?.manifest.connections {
        let bytes = place.target.read_object(&sealed.object).map_err(|error| failed(&error))?;
        parts.objects.insert(id.clone(), bytes);
    }
    let report = verify::parts(&parts, None).map_err(|error| Failure::new(error.to_string()).exit(Exit::Integrity))?;
    if let Some(problem) = report.problems.first() {
        return Err(Failure::new(format!("what is deployed is not whole: {}", problem.message))
            .exit(Exit::Integrity)
            .help(format!("`tieline verify {}` tells all of it", place.at.typed())));
    }
    Ok(parts)
}
