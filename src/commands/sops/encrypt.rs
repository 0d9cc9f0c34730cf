//! `tieline sops encrypt`

use super::file::{Input, To, now, random, recipients};
use crate::commands::{Cli, Exit, Failure};
use crate::diagnostic::listed;
use crate::reporters::human::plural;
use crate::sops::{Recipient, Rule, Settings, encrypt_text};
use crate::ui::Ui;

/// Seal a file that is in clear.
///
/// Keys stay in clear; every release of sops from 3.8.1 on opens what is written.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    to: To,
    /// Seal only values below keys that match
    #[arg(long, value_name = "REGEX", group = "rule")]
    encrypted_regex: Option<String>,
    /// Leave values below keys that match in clear
    #[arg(long, value_name = "REGEX", group = "rule")]
    unencrypted_regex: Option<String>,
    /// Seal only values below keys that end so
    #[arg(long, value_name = "SUFFIX", group = "rule")]
    encrypted_suffix: Option<String>,
    /// Leave values below keys that end so in clear
    #[arg(long, value_name = "SUFFIX", group = "rule")]
    unencrypted_suffix: Option<String>,
    /// Let values in clear be changed without the key
    #[arg(long)]
    mac_only_encrypted: bool,
    /// Write it in the file's place
    #[arg(short, long)]
    in_place: bool,
}

impl Args {
    fn rule(&self) -> Option<Rule> {
        let text = |text: &Option<String>| text.clone();
        text(&self.encrypted_regex)
            .map(Rule::EncryptedRegex)
            .or(text(&self.unencrypted_regex).map(Rule::UnencryptedRegex))
            .or(text(&self.encrypted_suffix).map(Rule::EncryptedSuffix))
            .or(text(&self.unencrypted_suffix).map(Rule::UnencryptedSuffix))
    }
}

pub(super) fn run(args: &Args, cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let file = args.input.read(cli)?;
    let creation = args.to.creation(&file)?;
    let to = recipients(&creation)?;
    let settings = Settings {
        rule: &args.rule().or(creation.rule.clone()).unwrap_or_default(),
        mac_only_encrypted: args.mac_only_encrypted || creation.mac_only_encrypted,
        recipients: &to,
        lastmodified: &now(),
    };
    let sealed = encrypt_text(file.text.expose(), file.format, &settings, &mut random);
    let (text, left_out) = sealed.map_err(|error| file.failure(&error, None))?;
    if left_out > 0 {
        ui.say(&format!(
            "{}: {left_out} comment{} in lists left out: sealed, sops 3.13.2 does not open the file",
            file.shown,
            plural(left_out)
        ));
    }
    if args.to.is_silent() {
        // Whoever can change .sops.yaml chooses them.
        ui.say(&format!("{} is sealed to {}", file.shown, listed(to.iter().map(Recipient::as_str), usize::MAX)));
    }
    if args.in_place {
        file.keep(&text, &mut file.judge(None)?, ui)?;
    } else {
        ui.bytes(text.as_bytes());
    }
    Ok(Exit::Done)
}
