//! Programs `age-plugin-NAME` that hold keys: a client for C2SP's age-plugin.md.
//!
//! age has one too, but it starts programs with all of our environment. Here they are started like every other child: the
//! plugin of an identity, which is the operator's, with the operator's environment but for our secrets; the plugin of a
//! recipient, whose name may come from a repository, with none.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use age::secrecy::ExposeSecret;
use age::{Callbacks, DecryptError, EncryptError, plugin};
use age_core::format::{FileKey, Stanza};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::identities::Asker;
use crate::world::child::{Environment, Start, find};

/// A line has at most so many bytes, a body so many lines, a talk so many messages.
const MAX_LINE: u64 = 64 << 10;
const MAX_LINES: usize = 16 << 10;
const MAX_MESSAGES: usize = 10_000;

/// How long a plugin may take to say something: a person may have to touch a token.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A body is broken into lines of this many characters; the last one is shorter.
const COLUMNS: usize = 64;

/// A recipient, and the program that seals to it.
pub(super) struct RecipientPlugin<'r> {
    program: PathBuf,
    recipient: &'r plugin::Recipient,
}

/// An identity, and the program that opens with it.
pub(super) struct IdentityPlugin {
    program: PathBuf,
    identity: plugin::Identity,
    asker: Asker,
}

impl<'r> RecipientPlugin<'r> {
    /// `None` where the program is not installed.
    pub(super) fn new(recipient: &'r plugin::Recipient) -> Option<Self> {
        Some(Self { program: find(&format!("age-plugin-{}", recipient.plugin()))?, recipient })
    }
}

impl IdentityPlugin {
    /// `None` where the program is not installed.
    pub(super) fn new(identity: plugin::Identity, asker: Asker) -> Option<Self> {
        Some(Self { program: find(&format!("age-plugin-{}", identity.plugin()))?, identity, asker })
    }

    fn unwrap(&self, stanzas: &[Stanza]) -> io::Result<Option<FileKey>> {
        let mut talk = Talk::start(&self.program, "identity-v1", Environment::Operator(&[]))?;
        talk.send("add-identity", &[&self.identity.to_string()], &[])?;
        for stanza in stanzas {
            let words = ["0", &stanza.tag].into_iter().chain(stanza.args.iter().map(String::as_str));
            talk.send("recipient-stanza", &words.collect::<Vec<_>>(), &stanza.body)?;
        }
        talk.send("done", &[], &[])?;
        let mut key = None;
        let failed = talk.listen(&self.asker, &mut |stanza| {
            let body = <[u8; 16]>::try_from(stanza.body.as_slice()).ok();
            let (true, true, Some(body)) = (stanza.is("file-key", &["0"]), key.is_none(), body) else { return false };
            key = Some(FileKey::new(Box::new(body)));
            true
        })?;
        match (key, failed) {
            (None, true) => Err(io::Error::other("the plugin failed")),
            (key, _) => Ok(key),
        }
    }
}

impl age::Recipient for RecipientPlugin<'_> {
    fn wrap_file_key(&self, key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let mut talk = Talk::start(&self.program, "recipient-v1", Environment::Bare)?;
        talk.send("add-recipient", &[&self.recipient.to_string()], &[])?;
        talk.send("extension-labels", &[], &[])?;
        talk.send("wrap-file-key", &[], key.expose_secret())?;
        talk.send("done", &[], &[])?;
        let (mut stanzas, mut labels) = (Vec::new(), None);
        let nobody = Asker(std::sync::Arc::new(super::identities::Nobody));
        let failed = talk.listen(&nobody, &mut |message| match (&*message.tag, &*message.args) {
            ("recipient-stanza", [file, tag, args @ ..]) if file == "0" => {
                stanzas.push(Stanza { tag: tag.clone(), args: args.to_vec(), body: message.body.to_vec() });
                true
            }
            ("labels", args) if labels.is_none() => {
                labels = Some(args.iter().cloned().collect::<HashSet<_>>());
                true
            }
            _ => false,
        })?;
        match (failed, stanzas.is_empty()) {
            (false, false) => Ok((stanzas, labels.unwrap_or_default())),
            _ => Err(io::Error::other("the plugin failed").into()),
        }
    }
}

impl age::Identity for IdentityPlugin {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        let own = Stanza { tag: stanza.tag.clone(), args: stanza.args.clone(), body: stanza.body.clone() };
        self.unwrap_stanzas(&[own])
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        self.unwrap(stanzas).map_err(DecryptError::Io).transpose()
    }
}

/// What a plugin says; the body may be a file key.
struct Message {
    tag: String,
    args: Vec<String>,
    body: Zeroizing<Vec<u8>>,
}

impl Message {
    fn is(&self, tag: &str, args: &[&str]) -> bool {
        self.tag == tag && self.args == args
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A plugin that runs.
struct Talk {
    child: Child,
    /// Closed at the end, by which the program ends too.
    input: Option<ChildStdin>,
    /// The lines that it writes, up to its end; read by a thread, so that waiting for one has an end.
    lines: Receiver<Zeroizing<String>>,
}

/// Reads lines until there are no more, one is too long or no text, or nobody listens.
fn read(output: ChildStdout, to: &SyncSender<Zeroizing<String>>) {
    let mut output = BufReader::new(output);
    loop {
        let mut line = Zeroizing::new(String::with_capacity(256));
        // What is no text leaves no line.
        let _ = (&mut output).take(MAX_LINE).read_line(&mut line);
        if line.pop() != Some('\n') || to.send(line).is_err() {
            return;
        }
    }
}

impl Talk {
    fn start(program: &Path, machine: &str, environment: Environment<'_>) -> io::Result<Self> {
        let argument = format!("--age-plugin={machine}");
        let start = Start {
            program: program.as_os_str(),
            arguments: &[OsStr::new(&argument)],
            environment,
            // It has no business in the workspace.
            folder: Some(Path::new("/")),
            pipes: (Stdio::piped(), Stdio::piped(), Stdio::null()),
            apart: false,
        };
        let mut child = start.now()?;
        let (sender, lines) = sync_channel(64);
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || read(output, &sender));
        }
        Ok(Self { input: child.stdin.take(), child, lines })
    }

    fn send(&mut self, tag: &str, args: &[&str], body: &[u8]) -> io::Result<()> {
        let mut text = Zeroizing::new(format!("-> {}\n", [&[tag], args].concat().join(" ")));
        let body = Zeroizing::new(STANDARD_NO_PAD.encode(body));
        let mut rest = body.as_str();
        loop {
            let (line, more) = rest.split_at(rest.len().min(COLUMNS));
            text.push_str(line);
            text.push('\n');
            if line.len() < COLUMNS {
                break;
            }
            rest = more;
        }
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        input.write_all(text.as_bytes())?;
        input.flush()
    }

    fn line(&mut self) -> io::Result<Zeroizing<String>> {
        self.lines.recv_timeout(TIMEOUT).map_err(|_| io::ErrorKind::UnexpectedEof.into())
    }

    fn receive(&mut self) -> io::Result<Message> {
        let broken = || io::Error::from(io::ErrorKind::InvalidData);
        let head = self.line()?;
        let mut words = head.strip_prefix("-> ").ok_or_else(broken)?.split(' ').map(str::to_owned);
        let (tag, args) = (words.next().unwrap_or_default(), words.collect());
        let mut text = Zeroizing::new(String::new());
        for _ in 0..MAX_LINES {
            let line = self.line()?;
            text.push_str(&line);
            if line.len() < COLUMNS {
                let body = STANDARD_NO_PAD.decode(text.as_bytes()).map_err(|_| broken())?;
                return Ok(Message { tag, args, body: Zeroizing::new(body) });
            }
        }
        Err(broken())
    }

    /// Answers what the plugin asks until it is done; `own` takes what is for us, and says whether that was in order.
    /// Gives whether the plugin reported an error.
    fn listen(&mut self, asker: &Asker, own: &mut dyn FnMut(&Message) -> bool) -> io::Result<bool> {
        let mut failed = false;
        for _ in 0..MAX_MESSAGES {
            let message = self.receive()?;
            let answer = match &*message.tag {
                "done" => return Ok(failed),
                "msg" => {
                    asker.display_message(&message.text());
                    Some(Vec::new())
                }
                "error" => {
                    failed = true;
                    Some(Vec::new())
                }
                "confirm" => {
                    let choice = confirm(asker, &message);
                    match choice {
                        Some(yes) => {
                            self.send("ok", &[if yes { "yes" } else { "no" }], &[])?;
                            continue;
                        }
                        None => None,
                    }
                }
                "request-secret" => {
                    asker.request_passphrase(&message.text()).map(|text| text.expose_secret().as_bytes().to_vec())
                }
                "request-public" => asker.request_public_string(&message.text()).map(String::into_bytes),
                "recipient-stanza" | "labels" | "file-key" => own(&message).then(Vec::new),
                _ => {
                    self.send("unsupported", &[], &[])?;
                    continue;
                }
            };
            match answer.map(Zeroizing::new) {
                Some(body) => self.send("ok", &[], &body)?,
                None => self.send("fail", &[], &[])?,
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }
}

/// A question with one answer or two.
fn confirm(asker: &Asker, message: &Message) -> Option<bool> {
    let mut words = message.args.iter().map(|word| {
        let bytes = STANDARD_NO_PAD.decode(word).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    });
    let yes = words.next()??;
    let no = words.next().flatten();
    asker.confirm(&message.text(), &yes, no.as_deref())
}

impl Drop for Talk {
    /// The program ends by the end of its input; one that does not is ended.
    fn drop(&mut self) {
        drop(self.input.take());
        for _ in 0..100 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill().and_then(|()| self.child.wait().map(drop));
    }
}
