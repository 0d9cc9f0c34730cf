//! A secret value as a type: it cannot be printed, compared, copied or serialized by accident.

use zeroize::Zeroize;

/// A plaintext secret in memory.
///
/// There is no `Debug`, `Display`, `Serialize`, `PartialEq` or `Clone` on purpose: the only way to the value is
/// [`Secret::expose`], a word that a reviewer can search for. The memory is wiped on drop.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes ownership of a plaintext.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Opens the secret. What the caller makes of the reference must not outlive its use, and must not be formatted
    /// into a message.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// Opens the secret to fill or cut it.
    pub fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
