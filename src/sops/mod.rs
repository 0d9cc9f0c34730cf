//! The sops document format: YAML or JSON whose leaves are encrypted, with age master keys.
//!
//! Takes texts, identities, a time and randomness; gives data, or texts. It touches no file, variable or clock, and
//! knows nothing of the rest of this crate but YAML events and [`crate::secret::Secret`], and of [`crate::world`] how a
//! plugin is started: it could be a crate of its own.
//!
//! ```text
//! text --parse--> Encrypted --metadata, leaves--> what a reader without a key may know
//!                     |------open(identities)---> data, MAC verified
//!                     |------edit(identities)---> Edit --set, unset, finish--> text
//!                     |------clear(identities)--> a text in clear, edited: --with_text--> text
//!                     '------rewrap, rotate-----> text, for other recipients, or under another data key
//! data --encrypt(settings), text in clear --encrypt_text(settings)-------------> text
//! ```
//!
//! What the format itself does not protect, this module cannot: the MAC covers neither keys of plain leaves, nor
//! types, nor the block; whoever knows a recipient can encrypt a whole file anew. Who wrote a file is for a signature
//! to say.
//!
//! Read and edited: YAML with any rule, several documents, comments, all types. Written: what every release from 3.8.1
//! on opens, 3.9 on with `mac_only_encrypted`. Master keys: age with X25519, SSH keys and plugins, also in key groups;
//! files that other kinds share open too, as long as age opens enough.

mod clear;
pub mod config;
mod document;
mod edit;
mod emit;
mod emit_json;
mod error;
mod exact;
mod identities;
mod json;
mod keys;
mod leaf;
mod mac;
mod metadata;
mod open;
mod plugin;
mod replace;
mod rewrap;
mod rule;
mod shamir;
mod sources;
mod splice;
mod time;
mod transform;
mod tree;
mod typing;
mod value;
mod walk;
mod write;
mod yaml;

pub use clear::{Clear, PlainEntry, entries};
pub use document::Format;
pub use edit::{Change, Edit};
pub use error::{ErrorKind, SopsError};
pub use identities::{Ask, Identities, IdentityError, Nobody, keygen};
pub use keys::Recipient;
pub use leaf::{Enc, Type};
pub use metadata::{Metadata, WrappedKey};
pub use open::{Encrypted, Leaf, is_sops};
pub use rule::Rule;
pub use sources::{Source, System, sources};
pub use tree::MAX_VALUES;
pub use value::{Map, Value};
pub use walk::{Path, Step};
pub use write::{Random, Settings, encrypt, encrypt_text};
