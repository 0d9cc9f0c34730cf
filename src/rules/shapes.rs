//! What secrets look like: forms of vendors' tokens, and text that is as random as only keys are.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

/// An access key of AWS, by its id: public where it stands as one.
pub const AWS: &str = "an AWS access key";

/// Forms of tokens and what they are, after the public lists of secret scanners.
const FORMS: &[(&str, &str)] = &[
    (r"\b(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b", AWS),
    (r"\bgh[pousr]_[0-9a-zA-Z]{36}", "a GitHub token"),
    (r"\bgithub_pat_\w{82}", "a GitHub token"),
    (r"\bglpat-[\w-]{20}", "a GitLab token"),
    (r"\bxox[abeoprs]-[0-9A-Za-z-]{10,}", "a Slack token"),
    (r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{43,56}", "a Slack webhook"),
    (r"\bsk-(?:proj|svcacct|admin)-[\w-]{20,}", "an OpenAI key"),
    (r"\bsk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}", "an OpenAI key"),
    (r"\bsk-ant-[a-z0-9]+-[\w-]{80,}", "an Anthropic key"),
    (r"\b[sr]k_(?:test|live|prod)_[a-zA-Z0-9]{10,99}", "a Stripe key"),
    (r"\bAIza[\w-]{35}", "a Google API key"),
    (r"\bey[A-Za-z0-9_-]{17,}\.ey[A-Za-z0-9_-]{17,}\.[A-Za-z0-9_-]{10,}", "a JSON web token"),
    (r"-----BEGIN[ A-Z0-9_-]{0,100}PRIVATE KEY(?: BLOCK)?-----", "a private key"),
    (r"(?i)\bAGE-SECRET-KEY-(?:PQ-)?1[0-9a-z]{40,}", "an age identity"),
    (r"\bhvs\.[\w-]{24,}", "a Vault token"),
    (r"\bnpm_[a-zA-Z0-9]{36}", "an npm token"),
    (r"\bpypi-AgEIcHlwaS5vcmc[\w-]{50,}", "a PyPI token"),
    (r"\bSG\.[\w-]{22}\.[\w-]{43}", "a SendGrid key"),
    (r"\bSK[0-9a-f]{32}\b", "a Twilio key"),
    (r"\bdapi[a-f0-9]{32}", "a Databricks token"),
    (r"\bdop_v1_[a-f0-9]{64}", "a DigitalOcean token"),
    (r"\bdp\.pt\.[a-zA-Z0-9]{40,}", "a Doppler token"),
    (r"\bops_eyJ[a-zA-Z0-9+/]{250,}", "a 1Password token"),
    (r"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}", "a Shopify token"),
    (r"\bpat-(?:na|eu)\d-[0-9a-f-]{36}", "a HubSpot token"),
];

/// The shortest token of [`FORMS`].
const SHORTEST: usize = 16;
/// Bits for each character, above which text is no text: English has about 4 over its letters.
const ENTROPY: f64 = 4.3;
/// Random text of fewer characters can't be told from names.
const LONG: usize = 32;

/// What every one of [`FORMS`] has in it. Literals alone compile in no time and are searched for at once; the forms are
/// compiled when the first of these is found.
const HINTS: &str = "A3T|AKIA|ASIA|ABIA|ACCA|gh[pousr]_|github_pat_|glpat-|xox|hooks\\.slack|sk[-_]|rk_|AIza|ey[A-Za-z0-9]|\
    PRIVATE KEY|(?i:AGE-SECRET)|hvs\\.|npm_|pypi-|SG\\.|SK[0-9a-f]|dapi|dop_v1_|dp\\.pt|ops_|shp|pat-";

fn hints() -> Option<&'static Regex> {
    static HINT: OnceLock<Option<Regex>> = OnceLock::new();
    HINT.get_or_init(|| RegexBuilder::new(HINTS).unicode(false).build().ok()).as_ref()
}

fn forms() -> &'static RegexSet {
    static SET: OnceLock<RegexSet> = OnceLock::new();
    let build = || RegexSetBuilder::new(FORMS.iter().map(|(form, _)| form)).unicode(false).build();
    SET.get_or_init(|| build().unwrap_or_default())
}

/// What a text looks like, if it looks like a secret.
fn shape(text: &str) -> Option<&'static str> {
    token(text).or_else(|| is_random(text).then_some("a random text, as keys are,"))
}

/// What kind of token or key a text has in it, by its known form.
pub fn token(text: &str) -> Option<&'static str> {
    if text.len() < SHORTEST || !hints().is_some_and(|hints| hints.is_match(text)) {
        return None;
    }
    forms().matches(text).iter().next().map(|form| FORMS[form].1)
}

fn login_forms() -> &'static [(Regex, &'static str)] {
    static FORMS: OnceLock<Vec<(Regex, &'static str)>> = OnceLock::new();
    FORMS.get_or_init(|| {
        let forms = [
            (r"(?i)\b[a-z][a-z0-9+.-]*://[^/@\s?#:]*:[^/@\s?#]+@", "a user and password"),
            // On the web a user without a password is a token; elsewhere it is a user.
            (r"(?i)\b(?:https?|wss?)://[^/@\s?#:{}]+@", "a user or token"),
            (
                r"(?i)\b(?:password|pwd|accountkey|sharedaccesskey|sharedaccesssignature|secret)\s*=\s*[^;\s]{3,}",
                "a password",
            ),
            (r"(?i)[?&;](?:sig|signature|access_token|token|api_?key|key|x-amz-signature)=[^&;\s]{6,}", "a token"),
        ];
        forms.into_iter().filter_map(|(form, what)| Some((Regex::new(form).ok()?, what))).collect()
    })
}

/// What credential a text has in it, if it is a URL or connection string.
pub fn login(text: &str) -> Option<&'static str> {
    // Every form has one of these.
    if !(text.contains('=') || text.contains("://")) {
        return None;
    }
    let found = login_forms().iter().find(|(form, _)| form.is_match(text)).map(|(_, what)| *what);
    found.or_else(|| {
        let (_, rest) = text.split_once("://")?;
        let (user, _) = rest.split(['/', '?', '#']).next()?.rsplit_once('@')?;
        shape(user)
    })
}

/// Letters of both cases and digits in one word, without an order.
pub fn is_random(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'_' | b'-');
    if text.len() < LONG || !text.bytes().all(plain) {
        return false;
    }
    let has = |class: fn(&u8) -> bool| text.bytes().filter(class).count() >= 4;
    if !has(u8::is_ascii_lowercase) || !has(u8::is_ascii_uppercase) || !has(u8::is_ascii_digit) {
        return false;
    }
    // Words keep to one kind of letter for a while, keys do not.
    let kind = |b: u8| (b.is_ascii_lowercase(), b.is_ascii_uppercase(), b.is_ascii_digit());
    let turns = text.as_bytes().windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count();
    if turns * 10 < text.len() * 4 {
        return false;
    }
    let mut counts = [0u32; 128];
    text.bytes().for_each(|b| counts[usize::from(b & 127)] += 1);
    #[allow(clippy::cast_precision_loss, reason = "texts are short")]
    let length = text.len() as f64;
    let bits: f64 = counts.iter().filter(|n| **n > 0).map(|n| f64::from(*n) / length).map(|p| -p * p.log2()).sum();
    bits >= ENTROPY
}

#[cfg(test)]
mod tests {
    use super::{FORMS, forms, hints, shape};

    #[test]
    fn z15_tokens_have_shapes_and_names_have_none() {
        assert_eq!(forms().len(), FORMS.len(), "every form is a regular expression");
        assert!(hints().is_some());
        for (parts, what) in [
            (["AKIA", "IOSFODNN7EXAMPLE"], "an AWS access key"),
            (["ghp_", "0123456789abcdefghijABCDEFGHIJ012345"], "a GitHub token"),
            (["-----BEGIN RSA PRIV", "ATE KEY-----"], "a private key"),
            (["AGE-SECRET-", "KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ"], "an age identity"),
            (["Zk9Qw3Lr7Tx2Vb5N", "m8Pc4Hs6Jd1Fg0Ya"], "a random text, as keys are,"),
        ] {
            assert_eq!(shape(&parts.concat()), Some(what), "{parts:?}");
        }
        for clear in [
            "warehouse.eu-central-1.example.com",
            "7b0c1f6e-4a53-4a57-9d0b-1d6a3f1c2e90",
            "arn:aws:iam::123456789012:role/data-platform-production",
            "age1vr9l69vvtreuntmsvsu4keme3jwsa25plc4fcngeyfn9v64u2eqqjzhu3u",
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "projects/acme/locations/europe-west1",
            "/AnalyticsTeam/Incoming/Orders2026",
        ] {
            assert_eq!(shape(clear), None, "{clear}");
        }
    }
    /// A token of each form, in two halves, since scanners of this repository know the forms too.
    const SAMPLES: &[(&str, &str, &str)] = &[
        ("AK", "IAIOSFODNN7EXAMPLE", "an AWS access key"),
        ("AS", "IAIOSFODNN7EXAMPLE", "an AWS access key"),
        ("AB", "IAIOSFODNN7EXAMPLE", "an AWS access key"),
        ("AC", "CAIOSFODNN7EXAMPLE", "an AWS access key"),
        ("A3", "TXIOSFODNN7EXAMPLE", "an AWS access key"),
        ("gh", "p_000000000000000000000000000000000000", "a GitHub token"),
        ("gh", "o_000000000000000000000000000000000000", "a GitHub token"),
        ("gh", "u_000000000000000000000000000000000000", "a GitHub token"),
        ("gh", "s_000000000000000000000000000000000000", "a GitHub token"),
        ("gh", "r_000000000000000000000000000000000000", "a GitHub token"),
        (
            "github_",
            "pat_0000000000000000000000_00000000000000000000000000000000000000000000000000000000000",
            "a GitHub token",
        ),
        ("gl", "pat-00000000000000000000", "a GitLab token"),
        ("xo", "xb-000000000000-abc", "a Slack token"),
        ("hooks.slack", ".com/services/T00000000/B00000000/000000000000000000000000", "a Slack webhook"),
        ("hooks.slack", ".com/workflows/T00000000/B00000000/000000000000000000000000", "a Slack webhook"),
        ("hooks.slack", ".com/triggers/T00000000/0000000000000/00000000000000000000", "a Slack webhook"),
        ("sk", "-proj-00000000000000000000", "an OpenAI key"),
        ("sk", "-svcacct-00000000000000000000", "an OpenAI key"),
        ("sk", "-admin-00000000000000000000", "an OpenAI key"),
        ("sk-00000000000000000000T3Blbk", "FJ00000000000000000000", "an OpenAI key"),
        (
            "sk-ant",
            "-api03-00000000000000000000000000000000000000000000000000000000000000000000000000000000",
            "an Anthropic key",
        ),
        ("sk", "_live_0000000000", "a Stripe key"),
        ("sk", "_test_0000000000", "a Stripe key"),
        ("sk", "_prod_0000000000", "a Stripe key"),
        ("rk", "_live_0000000000", "a Stripe key"),
        ("AI", "za00000000000000000000000000000000000", "a Google API key"),
        ("ey", "J00000000000000000.eyJ00000000000000000.0000000000", "a JSON web token"),
        ("-----BEGIN PRIV", "ATE KEY-----", "a private key"),
        ("-----BEGIN PGP PRIV", "ATE KEY BLOCK-----", "a private key"),
        ("AGE-SECRET-", "KEY-10000000000000000000000000000000000000000", "an age identity"),
        ("age-secret-", "key-10000000000000000000000000000000000000000", "an age identity"),
        ("AGE-SECRET-", "KEY-PQ-10000000000000000000000000000000000000000", "an age identity"),
        ("hv", "s.000000000000000000000000", "a Vault token"),
        ("np", "m_000000000000000000000000000000000000", "an npm token"),
        ("py", "pi-AgEIcHlwaS5vcmc00000000000000000000000000000000000000000000000000", "a PyPI token"),
        ("SG", ".0000000000000000000000.0000000000000000000000000000000000000000000", "a SendGrid key"),
        ("SK", "00000000000000000000000000000000", "a Twilio key"),
        ("dap", "i00000000000000000000000000000000", "a Databricks token"),
        ("dop", "_v1_0000000000000000000000000000000000000000000000000000000000000000", "a DigitalOcean token"),
        ("dp", ".pt.0000000000000000000000000000000000000000", "a Doppler token"),
        ("shp", "at_00000000000000000000000000000000", "a Shopify token"),
        ("shp", "ca_00000000000000000000000000000000", "a Shopify token"),
        ("shp", "pa_00000000000000000000000000000000", "a Shopify token"),
        ("shp", "ss_00000000000000000000000000000000", "a Shopify token"),
        ("pat", "-na1-00000000-0000-0000-0000-000000000000", "a HubSpot token"),
        ("pat", "-eu1-00000000-0000-0000-0000-000000000000", "a HubSpot token"),
    ];

    /// Each sample by its form, and not since it is random; and each form has a sample.
    #[test]
    fn e2_11_every_form_finds_its_tokens() {
        let long = format!("eyJ{}", "0".repeat(250));
        let mut samples: Vec<(String, &str)> =
            SAMPLES.iter().map(|(one, other, what)| (format!("{one}{other}"), *what)).collect();
        samples.push((format!("ops_{long}"), "a 1Password token"));
        let mut known = std::collections::BTreeSet::new();
        for (token, what) in &samples {
            assert_eq!(shape(token), Some(*what), "{token}");
            assert_eq!(shape(&format!("token={token}&x")), Some(*what), "{token} in a text");
            known.extend(forms().matches(token).iter());
        }
        let unknown: Vec<&str> = (0..FORMS.len()).filter(|at| !known.contains(at)).map(|at| FORMS[at].0).collect();
        assert_eq!(unknown, [""; 0], "forms without a sample");
        let kinds: std::collections::BTreeSet<&str> = FORMS.iter().map(|(_, what)| *what).collect();
        assert_eq!(kinds.len(), 23, "a kind of token was dropped, or has come: give it a sample");
    }
}
