//! The sops document format: YAML whose leaves are encrypted, with age master keys.
mod document;
mod error;
mod identities;
mod keys;
mod leaf;
mod mac;
mod metadata;
mod open;
mod rule;
mod time;
mod typing;
mod value;
mod walk;

pub use error::{ErrorKind, SopsError};
pub use identities::{Identities, IdentityError, Source, System, sources};
pub use keys::{Recipient, keygen};
pub use leaf::{Enc, Type};
pub use metadata::{Metadata, WrappedKey};
pub use open::{Encrypted, Leaf, is_sops};
pub use rule::Rule;
pub use value::{Map, Value};
pub use walk::{Path, Step};
