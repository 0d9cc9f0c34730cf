//! The sops document format: YAML whose leaves are encrypted, with age master keys.
//!
//! Takes texts, identities, a time and randomness; gives data, or texts. It touches no file, variable or clock, and
//! knows nothing of the rest of this crate but YAML events and [`crate::secret::Secret`]: it could be a crate of its
//! own.
//!
//! ```text
//! text --parse--> Encrypted --metadata, leaves--> what a reader without a key may know
//!                     |------open(identities)---> data, MAC verified
//!                     '------edit(identities)---> Edit --set, unset, finish--> text
//! data --encrypt(settings)----------------------------------------------------> text
//! ```
//!
//! What the format itself does not protect, this module cannot: the MAC covers neither keys of plain leaves, nor
//! types, nor the block; whoever knows a recipient can encrypt a whole file anew. Who wrote a file is for a signature
//! to say.
//!
//! Read and edited: YAML with any rule, several documents, comments, all types. Written: what every release from 3.8.1
//! on opens, 3.9 on with `mac_only_encrypted`. Master keys: age with X25519; files that other kinds share open too, as
//! long as one X25519 recipient is among them outside of `key_groups`.

mod document;
mod edit;
mod emit;
mod error;
mod identities;
mod keys;
mod leaf;
mod mac;
mod metadata;
mod open;
mod rule;
mod splice;
mod time;
mod typing;
mod value;
mod walk;
mod write;

pub use edit::{Change, Edit};
pub use error::{ErrorKind, SopsError};
pub use identities::{Identities, IdentityError, Source, System, sources};
pub use keys::{Recipient, keygen};
pub use leaf::{Enc, Type};
pub use metadata::{Metadata, WrappedKey};
pub use open::{Encrypted, Leaf, is_sops};
pub use rule::Rule;
pub use value::{Map, Value};
pub use walk::{Path, Step};
pub use write::{Settings, encrypt};
